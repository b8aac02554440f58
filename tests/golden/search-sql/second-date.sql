-- Condition?recorded-date=ap2024-01-01
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 28
 and (r.rid in (select v.rid from date_value v
 where v.parameter = $1
 and (v.low < $2 and v.high >= $3)))
 order by r.last_updated desc, r.rid desc limit 51) u
