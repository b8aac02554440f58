-- Observation?patient=Patient/1&code=http://l|1&_sort=-date
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $1 and r.lead = $2
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $3
 and (select f.rid from lead_value f
 where f.lead = $4
 order by f.date_low desc nulls last, f.rid desc limit 1) is not null
 and (r.keys && $5) is true
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
