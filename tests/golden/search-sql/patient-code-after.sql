-- Observation?patient=Patient/1&code=http://l|1
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.date_low::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1 and r.patient = $2
 and (r.lead = $3 or (r.keys && $4) is true)
 and (r.date_low < $5::text::timestamptz or r.date_low is null or (r.date_low = $6::text::timestamptz and r.rid < $7))
 order by r.date_low desc nulls last, r.rid desc limit 51
