-- Observation?_filter=(code eq http://l|1 and value-quantity gt 5.4) or status eq final
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select r.rid
 from resource r
 where not r.deleted and r.type = $2
 and (r.lead = $3 or r.keys && $4)
 and (r.rid in (select v.rid from quantity_value v
 where v.parameter = $5
 and (v.lead = any(array(select quantity_leads($6)))
 and ((v.unit = any($7)
 and (v.high > $8))))))
 union all select v.rid from resource v
 where v.keys && $9))
 order by r.last_updated desc, r.rid desc limit 51
