-- Observation?code:text=body&category:text=vital
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 and ((r.keys && $1 or (r.lead = any($2) or r.keys && $3) and not r.keys && $4))
 and ((r.keys && $5 or (r.keys && $6) and not r.keys && $7))
 order by r.last_updated desc, r.rid desc limit 51) u
