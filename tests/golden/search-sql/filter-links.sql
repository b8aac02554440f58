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
 and (r.present @> $5))))))) is not true or r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = 103
 and ((exists (select from unnest(r.keys) as k(key)
 where k.key >> 48 = $6 and k.key <> all($7)) or r.type = any($8) and r.lead <> all($9)))))
 order by r.last_updated desc, r.rid desc limit 51) u
