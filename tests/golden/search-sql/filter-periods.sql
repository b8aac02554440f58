-- Patient?_filter=birthdate po 2020 and death-date co 2020-01-01
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and ((r.date_low < $2 and r.date_high > $3))
 and (r.rid in (select v.rid from date_value v
 where v.parameter = $4
 and (v.low <= $5 and v.high >= $6)))
 order by r.last_updated desc, r.rid desc limit 51
