-- Observation?_list=42&code=http://l|1
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select k.rid
 from resource r cross join lateral (select k & 281474976710655 as rid from unnest(r.keys) k
 where k >> 48 = $2 except select k & 281474976710655 as rid from unnest(r.keys) k
 where k >> 48 = $3) k
 where not r.deleted and r.type = $4
 and (r.id = $5)))
 and (r.lead = $6 or (r.keys && $7) is true)
 order by r.last_updated desc, r.rid desc limit 51
