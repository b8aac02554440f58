-- Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96 and r.rid in (select v.rid from quantity_value v
 where v.parameter = $1 and v.lead = any(array(select quantity_leads($2))) and not (v.low < v.high)
 and (((v.unit = $3
 and (v.low > $4)) or (v.unit = $5
 and (v.low > $6)) or (v.unit = $7
 and (v.low > $8))))
 union all select v.rid from quantity_value v
 where v.parameter = $9 and v.lead = any(array(select quantity_leads($10))) and v.low < v.high
 and (((v.unit = $11
 and (v.high > $12)) or (v.unit = $13
 and (v.high > $14)) or (v.unit = $15
 and (v.high > $16)))))
 order by r.last_updated desc, r.rid desc limit 51) u
