-- Patient?_sort=_lastUpdated
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 103
 and (r.last_updated, r.rid) > ($1::text::timestamptz, $2)
 order by r.last_updated, r.rid limit 51) u
