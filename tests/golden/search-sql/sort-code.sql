-- Observation?_sort=-code&code=http://l|1
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[s.value::text]::text[] as sort_values
 from resource r
 left join lateral (select max(t.code) as value from unnest(r.keys || r.lead) k join token t on t.token = (k & 281474976710655)
 where t.code <> ''
 and (k >> 48) = $1) s on true
 where not r.deleted and r.type = $2
 and (r.lead = $3 or r.keys && $4)
 order by s.value desc nulls last, r.rid desc limit $5
