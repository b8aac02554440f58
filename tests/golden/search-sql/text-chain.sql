-- Observation?patient._content="broken arm"&code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from text_value v
 where v.is_content and v.words @@ $2::tsquery))
 union all select r.rid from contained_match r
 where not r.deleted and r.type = 103
 and (select c.type from contained_resource c
 where c.type >= 103
 order by c.type limit 1) = 103
 and (r.rid in (select v.rid from text_value v
 where v.is_content and v.words @@ $3::tsquery))))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $4
 and (r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from text_value v
 where v.is_content and v.words @@ $5::tsquery))
 union all select r.rid from contained_match r
 where not r.deleted and r.type = 103
 and (select c.type from contained_resource c
 where c.type >= 103
 order by c.type limit 1) = 103
 and (r.rid in (select v.rid from text_value v
 where v.is_content and v.words @@ $6::tsquery))))
 order by f.date_low desc nulls last, f.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
