-- Observation?code=http://l|1&_sort=-date,_id
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value, r.id as value2
 from resource r
 where r.lead = $1
 order by r.date_low desc nulls last, r.id, r.rid limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value, r.id as value2 from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $2
 order by f.date_low desc nulls last, r.id, f.rid limit 51)) u
 order by value desc nulls last, value2, rid limit 51
