-- Observation?code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (r.subject_rids && $2 or r.owner = any($3) or r.author = any($4))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $5
 and (r.subject_rids && $6 or r.owner = any($7) or r.author = any($8))
 order by f.date_low desc nulls last, f.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
