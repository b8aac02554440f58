-- Observation?_sort=-code&code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, s.value as value
 from resource r
 left join lateral (select max(t.code) as value from unnest(r.keys || case when r.type = any($1) then $2 | (r.lead & 281474976710655) end) k join token t on t.token = (k & 281474976710655) and t.code <> ''
 where (k >> 48) = $3) s on true
 where not r.deleted and r.type = 96
 and (r.lead = $4 or r.keys && $5)
 order by s.value desc nulls last, r.rid desc limit 51) u
