-- Observation?encounter=Encounter/1&code=http://l|1
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.keys && $2)
 and (r.lead = $3 or (r.keys && $4) is true)
 order by r.last_updated desc, r.rid desc limit 51
