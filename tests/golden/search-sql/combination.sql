-- Observation?combo-code-value-quantity=http://l|1$60
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $1
 and (v.first = any($2)
 and (v.low >= $3 and v.low < $4 and v.high < $5))
 union all select r.rid
 from resource r
 where not r.deleted
 and (r.lead = $6 or r.keys && $7)
 and (r.rid in (select v.rid from quantity_value v
 where v.parameter = $8 and v.lead = any(array(select quantity_leads($9))) and not (v.low < v.high)
 and (((v.unit = any($10)
 and (v.low >= $11 and v.low < $12 and v.low < $13))))
 union all select v.rid from quantity_value v
 where v.parameter = $14 and v.lead = any(array(select quantity_leads($15))) and v.low < v.high
 and (((v.unit = any($16)
 and (v.low >= $17 and v.low < $18 and v.high < $19))))))))
 order by r.last_updated desc, r.rid desc limit 51) u
