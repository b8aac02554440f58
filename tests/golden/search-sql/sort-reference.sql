-- Observation?_sort=-subject
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, greatest(s.value, x.value) as value
 from resource r
 left join lateral (select max(n.name || '/' || t.id) as value from unnest(r.keys) k cross join lateral (select o.type, o.id from resource o
 where o.rid = (k & 281474976710655)
 union all select o.type, o.id from reference_stub o
 where o.rid = (k & 281474976710655)) t join resource_type n on n.type = t.type
 where (k >> 48) = $1) s on true
 left join (select v.rid, max(v.value) as value from uri_value v
 where v.parameter = $2 group by v.rid) x on x.rid = r.rid
 where not r.deleted and r.type = 96
 order by greatest(s.value, x.value) desc nulls last, r.rid desc limit 51) u
