-- Observation?_filter=patient re Patient/1 and code eq http://l|1 and date ge 2020
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $1 and r.lead = $2
 and ((r.date_low >= $3 or r.date_high > $4))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $5
 and (select f.rid from lead_value f
 where f.lead = $6
 order by f.date_low desc nulls last, f.rid desc limit 1) is not null
 and (r.keys && $7) is true
 and ((r.date_low >= $8 or r.date_high > $9))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
