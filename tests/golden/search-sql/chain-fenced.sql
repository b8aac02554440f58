-- Observation?patient=1&performer:Practitioner.name=a
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.date_low::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1 and r.patient = $2
 and (exists (select from unnest(r.keys) as k(key) cross join lateral (select
 from resource r
 where not r.deleted and r.type = $3
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$4, $5])
 and (v.normalised >= $6 and v.normalised < $7))) and r.rid = (k.key & 281474976710655) and k.key >> 48 = $8) t))
 order by r.date_low desc nulls last, r.rid desc limit 51
