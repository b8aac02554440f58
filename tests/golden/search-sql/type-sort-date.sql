-- Encounter?_sort=date
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 44 and r.date_low >= $1::text::timestamptz
 and (r.date_low > $2::text::timestamptz or r.date_low is null or (r.date_low = $3::text::timestamptz and r.rid > $4))
 order by r.date_low nulls first, r.rid limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 44 and r.date_low is null
 order by r.date_low, r.rid limit 51)) u
 order by value, rid limit 51
