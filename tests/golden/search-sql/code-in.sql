-- Observation?code:in=http://v
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.lead = any($2) or r.keys && $3)
 order by r.last_updated desc, r.rid desc limit 51
