-- Observation?_filter=encounter[status eq finished].service-provider[active eq true].name pr false or subject.gender ne male
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and ((r.keys && array(select $2 | r.rid
 from resource r
 where not r.deleted and r.type = $3
 and ((r.keys && $4)
 and (r.keys && array(select $5 | r.rid
 from resource r
 where not r.deleted and r.type = $6
 and ((r.keys && $7)
 and (r.present @> $8))))))) is not true or r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = $9
 and ((exists (select from unnest(r.keys) as k(key)
 where k.key >> 48 = $10 and k.key <> all($11)) or r.type = any($12) and r.lead <> all($13)))))
 order by r.last_updated desc, r.rid desc limit 51
