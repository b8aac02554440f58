-- RiskAssessment?probability=0.8,ne0.1
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from quantity_value v
 where v.parameter = $2
 and ((v.lead = any(array(select quantity_leads($3)))
 and ((v.unit = any($4)
 and (v.low >= $5 and v.low < $6 and v.high < $7)))) or (v.lead = any(array(select quantity_leads($8)))
 and ((v.unit = any($9)
 and (v.low < $10 or v.high >= $11)))))))
 order by r.last_updated desc, r.rid desc limit 51
