-- Observation?code=http://l|1&date=ge2020&date=lt2021
select *, array[value::text]::text[] as sort_values from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and ((r.date_low >= $2 or r.date_high > $3))
 and ((r.date_low < $4))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $5 and r.rid = any(array(select h.rid from resource h
 where h.keys && $6))
 and (r.lead = $7) is not true
 and ((r.date_low >= $8 or r.date_high > $9))
 and ((r.date_low < $10))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
