-- Observation?_filter=encounter[status eq finished].service-provider[active eq true].name pr false or subject.gender ne male
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 and ((r.keys && array(select $1 | r.rid
 from resource r
 where not r.deleted and r.type = 44
 and ((r.keys && $2)
 and (r.keys && array(select $3 | r.rid
 from resource r
 where not r.deleted and r.type = 100
 and ((r.keys && $4)
 and (r.present @> $5))
 union all select $6 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 100
 and (select c.type from contained_resource c
 where c.type >= 100
 order by c.type limit 1) = 100
 and ((r.keys && $7)
 and (r.present @> $8)) and r.rid > -140737488355328)))
 union all select $9 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 44
 and (select c.type from contained_resource c
 where c.type >= 44
 order by c.type limit 1) = 44
 and ((r.keys && $10)
 and (r.keys && array(select $11 | r.rid
 from resource r
 where not r.deleted and r.type = 100
 and ((r.keys && $12)
 and (r.present @> $13))
 union all select $14 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 100
 and (select c.type from contained_resource c
 where c.type >= 100
 order by c.type limit 1) = 100
 and ((r.keys && $15)
 and (r.present @> $16)) and r.rid > -140737488355328))) and r.rid > -140737488355328)) is not true or r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = 103
 and ((exists (select from unnest(r.keys) as k(key)
 where k.key >> 48 = $17 and k.key <> all($18)) or r.type = any($19) and r.lead <> all($20)))
 union all select r.rid from contained_match r
 where not r.deleted and r.type = 103
 and (select c.type from contained_resource c
 where c.type >= 103
 order by c.type limit 1) = 103
 and ((exists (select from unnest(r.keys) as k(key)
 where k.key >> 48 = $21 and k.key <> all($22)) or r.type = any($23) and r.lead <> all($24)))))
 order by r.last_updated desc, r.rid desc limit 51) u
