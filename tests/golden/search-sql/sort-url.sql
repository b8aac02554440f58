-- ValueSet?_sort=-url
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, s.value as value
 from resource r
 left join (select v.rid, min(v.value) as value from uri_value v
 where v.parameter = $1 group by v.rid) s on s.rid = r.rid
 where not r.deleted and r.type = 144
 order by s.value desc nulls last, r.rid desc limit 51) u
