-- DocumentReference?contenttype:below=text/xml
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 42
 and (r.keys && $1)
 order by r.last_updated desc, r.rid desc limit 51) u
