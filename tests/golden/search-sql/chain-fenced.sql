-- Observation?patient=1&performer:Practitioner.name=a
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $1
 and (exists (select from unnest(r.keys) as k(key) cross join lateral (select
 from resource r
 where not r.deleted and r.type = 108
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$2, $3])
 and (v.normalised >= $4 and v.normalised < $5))) and r.rid = (k.key & 281474976710655) and k.key >> 48 = $6) t))
 order by r.date_low desc nulls last, r.rid desc limit 51) u
