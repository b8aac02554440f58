-- QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire
with recursive page as materialized (select u.rid, u.type, u.id, u.version, u.last_updated, u.deleted, u.body, u.value, u.horizon, row_number() over () as n from (select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 113
 order by r.last_updated desc, r.rid desc limit 51) u) u), found as (select p.rid from page p
 where p.n <= $1), reached (rid) as (select t.rid from uri_value w join uri_value u on u.value = w.value join resource t on t.rid = u.rid
 where w.rid = any(array(select x.rid from found x)) and w.parameter = any($2) and u.parameter = any($3) and not exists (select from uri_value v
 where v.rid = w.rid and v.parameter = w.parameter and starts_with(v.value, w.value || '|')) and exists (select from resource s
 where s.rid = w.rid and s.type = any($4)) and not t.deleted
 union all select y.rid from found x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $5 and k.key >> 48 = any($6) and not t.deleted) y) select * from page
 union all select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, null, null, null from (select distinct q.rid from reached q
 where q.rid not in (select p.rid from found p) limit 1001) q join resource r on r.rid = q.rid
 order by n nulls last, type, rid
