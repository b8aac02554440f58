-- a doctor: Observation?_id=a&_include=Observation:performer
with recursive page as materialized (select u.rid, u.type, u.id, u.version, u.last_updated, u.deleted, u.body, u.value, u.horizon, row_number() over () as n from (select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 and (exists (select from care_link care
 where care.practitioner = $1 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now()))
 and (r.id = $2)
 order by r.last_updated desc, r.rid desc limit 51) u) u), found as (select p.rid from page p
 where p.n <= $3), reached (rid) as (select y.rid from found x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $4 and k.key >> 48 = any($5) and t.type = any($6) and not t.deleted
 and (t.type = any($7)
 and (exists (select from care_link care
 where care.practitioner = $8 and care.patient = any(t.subject_rids) and care.valid_from <= now() and care.valid_to > now())) or t.type = any($9)
 and (not t.keys && array(select code.parameter::bigint << 48 | token.token from unnest($10, $11) as code(parameter, code) join token on token.code = code.code and token.system = '') or t.rid = any($12) or t.author = any($13)) or t.type = any($14)
 and (not t.keys && array(select code.parameter::bigint << 48 | token.token from unnest($15, $16) as code(parameter, code) join token on token.code = code.code and token.system = '')))) y) select * from page
 union all select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, null, null, null from (select distinct q.rid from reached q
 where q.rid not in (select p.rid from found p) limit 1001) q join resource r on r.rid = q.rid
 order by n nulls last, type, rid
