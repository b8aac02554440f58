-- Observation?patient=Patient/1&code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $1 and r.lead = $2 and r.date_low <= $3::text::timestamptz
 and (r.date_low < $4::text::timestamptz or r.date_low is null or (r.date_low = $5::text::timestamptz and r.rid < $6))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $7 and r.lead = $8 and r.date_low is null
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $9
 and (select f.rid from lead_value f
 where f.lead = $10
 order by f.date_low desc nulls last, f.rid desc limit 1) is not null
 and (r.keys && $11) is true
 and (r.date_low < $12::text::timestamptz or r.date_low is null or (r.date_low = $13::text::timestamptz and r.rid < $14))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
