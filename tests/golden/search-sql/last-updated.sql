-- Patient?_lastUpdated=ge2024&_lastUpdated=ne2024-02
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 103
 and (r.last_updated >= $1)
 and ((r.last_updated < $2 or r.last_updated >= $3))
 order by r.last_updated desc, r.rid desc limit 51) u
