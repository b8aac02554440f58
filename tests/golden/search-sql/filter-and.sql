-- Observation?_filter=patient re Patient/1 and code eq http://l|1 and date ge 2020
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.date_low::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1 and r.patient = $2
 and (r.lead = $3 or (r.keys && $4) is true)
 and ((r.date_low >= $5 or r.date_high > $6))
 order by r.date_low desc nulls last, r.rid desc limit 51
