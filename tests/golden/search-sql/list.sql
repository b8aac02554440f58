-- Observation?_list=42&code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 and (r.rid in (select k.rid
 from resource r cross join lateral (select k & 281474976710655 as rid from unnest(r.keys) k
 where k >> 48 = $1 except select k & 281474976710655 as rid from unnest(r.keys) k
 where k >> 48 = $2) k
 where not r.deleted and r.type = 70
 and (r.id = $3)))
 and (r.lead = $4 or (r.keys && $5) is true)
 order by r.last_updated desc, r.rid desc limit 51) u
