-- Observation?_filter=(code eq http://l|1 and value-quantity gt 5.4) or status eq final
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 and (r.rid in (select r.rid
 from resource r
 where not r.deleted and r.type = 96
 and (r.lead = $1 or r.keys && $2)
 and (r.rid in (select v.rid from quantity_value v
 where v.parameter = $3 and v.lead = any(array(select quantity_leads($4))) and not (v.low < v.high)
 and (((v.unit = any($5)
 and (v.low > $6))))
 union all select v.rid from quantity_value v
 where v.parameter = $7 and v.lead = any(array(select quantity_leads($8))) and v.low < v.high
 and (((v.unit = any($9)
 and (v.high > $10))))))
 union all select v.rid from resource v
 where v.keys && $11))
 order by r.last_updated desc, r.rid desc limit 51) u
