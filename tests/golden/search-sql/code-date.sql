-- Observation?code=http://l|1&date=ge2020&date=lt2021
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (r.date_low, r.rid) >= ($2, 0)
 and (r.date_high - r.date_low > interval '25:00:00') is not true
 and ((r.date_low >= $3 or r.date_high > $4))
 and ((r.date_low < $5))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $6 and r.date_high - r.date_low > interval '25:00:00'
 and ((r.date_low >= $7 or r.date_high > $8))
 and ((r.date_low < $9))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $10
 and (f.date_low, f.rid) >= ($11, 0)
 and (f.date_high - f.date_low > interval '25:00:00') is not true
 and ((f.date_low >= $12 or f.date_high > $13))
 and ((f.date_low < $14))
 order by f.date_low desc nulls last, f.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $15 and f.date_high - f.date_low > interval '25:00:00'
 and ((f.date_low >= $16 or f.date_high > $17))
 and ((f.date_low < $18))
 order by f.date_low desc nulls last, f.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
