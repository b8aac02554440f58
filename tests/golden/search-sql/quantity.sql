-- Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from quantity_value v
 where v.parameter = $2
 and (v.lead = any(array(select quantity_leads($3)))
 and ((v.unit = $4
 and (v.high > $5)) or (v.unit = $6
 and (v.high > $7)) or (v.unit = $8
 and (v.high > $9))))))
 order by r.last_updated desc, r.rid desc limit 51
