-- Observation?code:text=body&category:text=vital
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and ((r.keys && $2 or (r.lead = any($3) or r.keys && $4) and not r.keys && $5))
 and ((r.keys && $6 or (r.keys && $7) and not r.keys && $8))
 order by r.last_updated desc, r.rid desc limit 51
