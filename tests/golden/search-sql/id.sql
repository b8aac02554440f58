-- Patient?_id=a,b
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 103
 and (r.id = $1 or r.id = $2)
 order by r.last_updated desc, r.rid desc limit 51) u
