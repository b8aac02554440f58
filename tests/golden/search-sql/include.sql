-- Observation?code=http://l|1&_include=Observation:subject
with recursive page as materialized (select u.rid, u.type, u.id, u.version, u.last_updated, u.deleted, u.body, u.value, u.horizon, row_number() over () as n from (select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $2
 order by f.date_low desc nulls last, f.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51) u), found as (select p.rid from page p
 where p.n <= $3), reached (rid) as (select y.rid from found x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $4 and k.key >> 48 = any($5) and not t.deleted) y) select * from page
 union all select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, null, null, null from (select distinct q.rid from reached q
 where q.rid not in (select p.rid from found p) limit 1001) q join resource r on r.rid = q.rid
 order by n nulls last, type, rid
