-- Observation?code=http://l|1
select *, array[value::text]::text[] as sort_values, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $1 and r.lead = $2 and r.date_low <= $3::text::timestamptz
 and (r.date_low < $4::text::timestamptz or r.date_low is null or (r.date_low = $5::text::timestamptz and r.rid < $6))
 order by r.date_low desc nulls last, r.rid desc limit $7)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $8 and r.lead = $9 and r.date_low is null
 order by r.date_low desc nulls last, r.rid desc limit $10)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $11 and r.keys && $12
 and (r.lead = $13) is not true
 and (r.date_low < $14::text::timestamptz or r.date_low is null or (r.date_low = $15::text::timestamptz and r.rid < $16))
 order by r.date_low desc nulls last, r.rid desc limit $17)) u
 order by value desc nulls last, rid desc limit $18
