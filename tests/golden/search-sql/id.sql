-- Patient?_id=a,b
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.id = $2 or r.id = $3)
 order by r.last_updated desc, r.rid desc limit 51
