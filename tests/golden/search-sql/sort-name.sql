-- Patient?_sort=family
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, s.value as value
 from resource r
 left join (select v.rid, min(v.normalised) as value from string_value v
 where v.parameter = $1 group by v.rid) s on s.rid = r.rid
 where not r.deleted and r.type = 103
 and (s.value > $2::text or s.value is null or (s.value = $3::text and r.rid > $4))
 order by s.value, r.rid limit 51) u
