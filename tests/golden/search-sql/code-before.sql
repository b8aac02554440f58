-- Observation?code=http://l|1&_sort=-date
select *, array[value::text]::text[] as sort_values, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $1 and r.lead = $2 and r.date_low >= $3::text::timestamptz
 and (r.date_low > $4::text::timestamptz or (r.date_low = $5::text::timestamptz and r.rid > $6))
 order by r.date_low nulls first, r.rid limit $7)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $8 and r.keys && $9
 and (r.lead = $10) is not true
 and (r.date_low > $11::text::timestamptz or (r.date_low = $12::text::timestamptz and r.rid > $13))
 order by r.date_low nulls first, r.rid limit $14)) u
 order by value nulls first, rid limit $15
