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
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.rid = any(array(select h.rid from resource h
 where h.keys && $10))
 and (r.lead = $11) is not true
 and ((r.date_low >= $12 or r.date_high > $13))
 and ((r.date_low < $14))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
