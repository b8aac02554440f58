-- Observation?code=http://l|1&date=ge2020&date=lt2021
select *, array[value::text]::text[] as sort_values, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $1 and r.lead = $2
 and ((r.date_low >= $3 or r.date_high > $4))
 and ((r.date_low < $5))
 order by r.date_low desc nulls last, r.rid desc limit $6)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $7 and r.keys && $8
 and (r.lead = $9) is not true
 and ((r.date_low >= $10 or r.date_high > $11))
 and ((r.date_low < $12))
 order by r.date_low desc nulls last, r.rid desc limit $13)) u
 order by value desc nulls last, rid desc limit $14
