-- QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire&_revinclude=Provenance:target&_include:iterate=Patient:organization
with recursive found (rid) as (select * from unnest($1)), reached (rid) as ((select t.rid from resource t
 where t.keys && array(select p | x.rid from unnest($2::bigint[]) p cross join found x)
 and (t.type = $3) is true and not t.deleted
 and (t.subject_rids && $4 or t.owner = any($5) or t.author = any($6))
 union all select t.rid from uri_value w join uri_value u on u.value = w.value join resource t on t.rid = u.rid
 where w.rid = any(array(select x.rid from found x)) and w.parameter = any($7) and u.parameter = any($8) and not exists (select from uri_value v
 where v.rid = w.rid and v.parameter = w.parameter and starts_with(v.value, w.value || '|')) and exists (select from resource s
 where s.rid = w.rid and s.type = any($9)) and t.type = any($10) and not t.deleted
 and (t.subject_rids && $11 or t.owner = any($12) or t.author = any($13))
 union all select y.rid from found x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $14 and k.key >> 48 = any($15) and t.type = any($16) and not t.deleted
 and (t.subject_rids && $17 or t.owner = any($18) or t.author = any($19))
 union all select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $20 and k.key >> 48 = any($21) and t.type = any($22) and not t.deleted
 and (t.subject_rids && $23 or t.owner = any($24) or t.author = any($25))) y
 union all select y.rid from unnest($26) x(rid) cross join lateral (select t.rid from resource t
 where t.keys && array(select p | x.rid from unnest($27::bigint[]) p) and t.type = $28 and not t.deleted
 and (t.subject_rids && $29 or t.owner = any($30) or t.author = any($31))) y
 union all select r.rid
 from resource r
 where not r.deleted
 and (r.subject_rids && $32 or r.owner = any($33) or r.author = any($34))
 and (r.id, r.type) in (select * from unnest($35, $36))
 union all select t.rid from uri_value u join resource t on t.rid = u.rid
 where u.value = any($37) and u.parameter = any($38) and t.type = any($39) and not t.deleted
 and (t.subject_rids && $40 or t.owner = any($41) or t.author = any($42))) union select y.rid from reached x cross join lateral (select t.rid from resource s cross join lateral unnest(s.keys) as k(key) join resource t on t.rid = (k.key & 281474976710655)
 where s.rid = x.rid and s.type = $43 and k.key >> 48 = any($44) and t.type = any($45) and not t.deleted
 and (t.subject_rids && $46 or t.owner = any($47) or t.author = any($48))) y) select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body from (select distinct q.rid from reached q
 where q.rid <> all($49) limit 1001) q join resource r on r.rid = q.rid
 order by type, rid
