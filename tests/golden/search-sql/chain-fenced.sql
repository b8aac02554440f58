-- Observation?patient=1&performer:Practitioner.name=a
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $1
 and (exists (select from unnest(r.keys) as k(key) cross join lateral (select
 from resource r
 where not r.deleted and r.type = 108
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$2, $3])
 and (v.normalised >= $4 and v.normalised < $5))) and r.rid = (k.key & 281474976710655)
 union all select from contained_match r
 where not r.deleted and r.type = 108
 and (select c.type from contained_resource c
 where c.type >= 108
 order by c.type limit 1) = 108
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$6, $7])
 and (v.normalised >= $8 and v.normalised < $9))) and r.rid = (k.key & 281474976710655) - 281474976710656 and r.rid > -140737488355328) t
 where k.key >> 48 = $10))
 order by r.date_low desc nulls last, r.rid desc limit 51) u
