-- Observation?code=http://l|1&status=final&_contained=true
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select m.rid, m.type, m.id, m.version, m.last_updated, m.deleted, m.body, r.value as value from (select * from (select distinct on (u.rid) u.*, u.rid as container from (select r.container as rid, r.date_low as value from contained_match r
 where r.lead = $1
 and ((r.keys && $2) is true)
 union all select r.container as rid, r.date_low as value from contained_match r
 where not r.deleted and r.type = 96 and r.rid = any(array(select h.rid from contained_resource h
 where h.keys && $3))
 and (r.lead = $4) is not true
 and ((r.keys && $5) is true)) u
 order by rid, value desc nulls last) r
 where true
 order by r.value desc nulls last, r.rid desc limit 51) r join resource m on m.rid = r.rid)) u
 order by value desc nulls last, rid desc limit 51
