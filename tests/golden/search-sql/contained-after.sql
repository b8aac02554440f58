-- Medication?code=http://l|1&_contained=both&_sort=-status
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, s.value as value
 from resource r
 left join lateral (select max(t.code) as value from unnest(r.keys) k join token t on t.token = (k & 281474976710655) and t.code <> ''
 where (k >> 48) = $1) s on true
 where not r.deleted and r.type = 75
 and (r.lead = $2 or r.keys && $3)
 and (s.value < $4::text or s.value is null or (s.value = $5::text and r.rid < $6))
 order by s.value desc nulls last, r.rid desc limit 51)
 union all (select m.rid, m.type, m.id, m.version, m.last_updated, m.deleted, m.body, r.value as value from (select * from (select distinct on (u.rid) u.*, u.rid as container from (select r.container as rid, s.value as value from contained_match r
 left join lateral (select max(t.code) as value from unnest(r.keys) k join token t on t.token = (k & 281474976710655) and t.code <> ''
 where (k >> 48) = $7) s on true
 where not r.deleted and r.type = 75
 and (r.lead = $8 or r.keys && $9)) u
 order by rid, value desc nulls last) r
 where true and not exists (select
 from resource r
 where not r.deleted and r.type = 75
 and (r.lead = $10 or r.keys && $11) and r.rid = container)
 and (r.value < $12::text or r.value is null or (r.value = $13::text and r.rid < $14))
 order by r.value desc nulls last, r.rid desc limit 51) r join resource m on m.rid = r.rid)) u
 order by value desc nulls last, rid desc limit 51
