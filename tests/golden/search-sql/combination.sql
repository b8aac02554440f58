-- Observation?combo-code-value-quantity=http://l|1$60
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $2
 and (v.first = any($3)
 and (v.low >= $4 and v.low < $5 and v.high < $6))
 union all select r.rid
 from resource r
 where not r.deleted
 and (r.lead = $7 or r.keys && $8)
 and (r.rid in (select v.rid from quantity_value v
 where v.parameter = $9
 and (v.lead = any(array(select quantity_leads($10)))
 and ((v.unit = any($11)
 and (v.low >= $12 and v.low < $13 and v.high < $14))))))))
 order by r.last_updated desc, r.rid desc limit 51
