-- Observation?component-code-value-quantity=http://l|1$lt60
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $2
 and (v.first = any($3)
 and (v.low < $4))))
 order by r.last_updated desc, r.rid desc limit 51
