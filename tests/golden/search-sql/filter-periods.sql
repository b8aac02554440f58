-- Patient?_filter=birthdate po 2020 and death-date co 2020-01-01
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 103
 and (r.date_low, r.rid) >= ($1, 0)
 and (r.date_high - r.date_low > interval '25:00:00') is not true
 and ((r.date_low < $2 and r.date_high > $3))
 and (r.rid in (select v.rid from date_value v
 where v.parameter = $4
 and (v.low <= $5 and v.high >= $6)))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 103 and r.date_high - r.date_low > interval '25:00:00'
 and ((r.date_low < $7 and r.date_high > $8))
 and (r.rid in (select v.rid from date_value v
 where v.parameter = $9
 and (v.low <= $10 and v.high >= $11)))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
