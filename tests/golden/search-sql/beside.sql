-- QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire&_revinclude=Provenance:target&_include:iterate=Patient:organization
with recursive found (rid) as (select * from unnest($1)), reached (rid) as ((select t.rid from resource t
 where t.keys && array(select p | x.rid from unnest($2::bigint[]) p cross join found x)
 and (t.type = $3) is true and not t.deleted
 and (t.subject_rids && $4 or t.owner = any($5) or t.author = any($6))
 union all select t.rid from uri_value w join uri_value u on u.value = w.value join resource t on t.rid = u.rid
 where w.rid = any(array(select x.rid from found x)) and w.parameter = any($7) and u.parameter = any($8) and not exists (select from uri_value v
 where v.rid = w.rid and v.parameter = w.parameter and starts_with(v.value, w.value || '|')) and exists (select from resource s
 where s.rid = w.rid and s.type = any($9)) and not t.deleted
 and (t.subject_rids && $10 or t.owner = any($11) or t.author = any($12))
 union all select y.rid from found x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $13 and k.key >> 48 = any($14) and not t.deleted
 and (t.subject_rids && $15 or t.owner = any($16) or t.author = any($17))
 union all select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $18 and k.key >> 48 = any($19) and not t.deleted
 and (t.subject_rids && $20 or t.owner = any($21) or t.author = any($22))) y
 union all select y.rid from unnest($23) x(rid) cross join lateral (select t.rid from resource t
 where t.keys && array(select p | x.rid from unnest($24::bigint[]) p) and t.type = $25 and not t.deleted
 and (t.subject_rids && $26 or t.owner = any($27) or t.author = any($28))) y
 union all select r.rid
 from resource r
 where not r.deleted
 and (r.subject_rids && $29 or r.owner = any($30) or r.author = any($31))
 and (r.id, r.type) in (select * from unnest($32, $33))
 union all select t.rid from uri_value u join resource t on t.rid = u.rid
 where u.value = any($34) and u.parameter = any($35) and not t.deleted
 and (t.subject_rids && $36 or t.owner = any($37) or t.author = any($38))) union select y.rid from reached x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $39 and k.key >> 48 = any($40) and not t.deleted
 and (t.subject_rids && $41 or t.owner = any($42) or t.author = any($43))) y) select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body from (select distinct q.rid from reached q
 where q.rid <> all($44) limit 1001) q join resource r on r.rid = q.rid
 order by type, rid
