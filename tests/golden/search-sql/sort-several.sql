-- Observation?_sort=status,-date,category
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, s.value as value, r.date_low as value2, s3.value as value3
 from resource r
 left join lateral (select min(t.code) as value from unnest(r.keys) k join token t on t.token = (k & 281474976710655) and t.code <> ''
 where (k >> 48) = $1) s on true
 left join lateral (select min(t.code) as value from unnest(r.keys) k join token t on t.token = (k & 281474976710655) and t.code <> ''
 where (k >> 48) = $2) s3 on true
 where not r.deleted and r.type = 96
 and (s.value > $3::text or s.value is null or (s.value = $4::text
 and (r.date_low is null
 and (s3.value > $5::text or s3.value is null or (s3.value = $6::text and r.rid > $7)))))
 order by s.value, r.date_low desc nulls last, s3.value, r.rid limit 51) u
