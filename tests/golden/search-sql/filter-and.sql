-- Observation?_filter=patient re Patient/1 and code eq http://l|1 and date ge 2020
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.date_low::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $1
 and (r.lead = $2 or (r.keys && $3) is true)
 and ((r.date_low >= $4 or r.date_high > $5))
 order by r.date_low desc nulls last, r.rid desc limit 51) u
