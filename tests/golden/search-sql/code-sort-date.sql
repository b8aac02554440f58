-- Observation?code=http://l|1&_sort=date
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1 and r.date_low is not null
 order by r.date_low nulls first, r.rid limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $2 and r.date_low is null
 order by r.date_low, r.rid limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $3 and f.date_low is not null
 order by f.date_low nulls first, f.rid limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $4 and f.date_low is null
 order by f.date_low, f.rid limit 51)) u
 order by value, rid limit 51
