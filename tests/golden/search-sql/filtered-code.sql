-- Observation?code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (r.subject_rids && $2 or r.owner = any($3) or r.author = any($4))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96
 and (r.subject_rids && $5 or r.owner = any($6) or r.author = any($7)) and r.rid = any(array(select h.rid from resource h
 where h.keys && $8))
 and (r.lead = $9) is not true
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
