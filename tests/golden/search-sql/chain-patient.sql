-- Observation?patient.name=eve&code=http://l|1
select *, array[value::text]::text[] as sort_values from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = $2
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$3, $4])
 and (v.normalised >= $5 and v.normalised < $6)))))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $7 and r.rid = any(array(select h.rid from resource h
 where h.keys && $8))
 and (r.lead = $9) is not true
 and (r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = $10
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$11, $12])
 and (v.normalised >= $13 and v.normalised < $14)))))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
