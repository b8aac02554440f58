-- Patient?_sort=-_lastUpdated,family,general-practitioner
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value, s2.value as value2, least(s3.value, x3.value) as value3
 from resource r
 left join (select v.rid, min(v.normalised) as value from string_value v
 where v.parameter = $1 group by v.rid) s2 on s2.rid = r.rid
 left join lateral (select min(n.name || '/' || t.id) as value from unnest(r.keys) k cross join lateral (select o.type, o.id from resource o
 where o.rid = (k & 281474976710655)
 union all select o.type, o.id from reference_stub o
 where o.rid = (k & 281474976710655)) t join resource_type n on n.type = t.type
 where (k >> 48) = $2) s3 on true
 left join (select v.rid, min(v.value) as value from uri_value v
 where v.parameter = $3 group by v.rid) x3 on x3.rid = r.rid
 where not r.deleted and r.type = 103
 and (r.last_updated >= $4::text::timestamptz
 and (r.last_updated > $5::text::timestamptz or (s2.value is not null or (least(s3.value, x3.value) < $6::text or (least(s3.value, x3.value) = $7::text and r.rid < $8)))))
 order by r.last_updated, s2.value desc, least(s3.value, x3.value) desc, r.rid desc limit 51) u
