-- Observation?_include=Observation:subject&_include:iterate=Patient:organization
with recursive page as materialized (select u.rid, u.type, u.id, u.version, u.last_updated, u.deleted, u.body, u.value, u.horizon, row_number() over () as n from (select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 order by r.last_updated desc, r.rid desc limit 51) u) u), found as (select p.rid from page p
 where p.n <= $1), reached (rid) as (select y.rid from found x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $2 and k.key >> 48 = any($3) and not t.deleted
 union all select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $4 and k.key >> 48 = any($5) and not t.deleted) y union select y.rid from reached x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $6 and k.key >> 48 = any($7) and not t.deleted) y) select * from page
 union all select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, null, null, null from (select q.rid from reached q
 where q.rid not in (select p.rid from found p) limit 1001) q join resource r on r.rid = q.rid
 order by n nulls last, type, rid
