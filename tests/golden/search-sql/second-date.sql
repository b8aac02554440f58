-- Condition?recorded-date=ap2024-01-01
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from date_value v
 where v.parameter = $2
 and (v.low < $3 and v.high >= $4)))
 order by r.last_updated desc, r.rid desc limit 51
