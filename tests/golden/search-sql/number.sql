-- RiskAssessment?probability=0.8,ne0.1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 120
 and (r.rid in (select v.rid from quantity_value v
 where v.parameter = $1 and v.lead = any(array(select quantity_leads($2))) and not (v.low < v.high)
 and (((v.unit = any($3)
 and (v.low >= $4 and v.low < $5 and v.low < $6))) or ((v.unit = any($7)
 and (v.low < $8 or v.low >= $9))))
 union all select v.rid from quantity_value v
 where v.parameter = $10 and v.lead = any(array(select quantity_leads($11))) and v.low < v.high
 and (((v.unit = any($12)
 and (v.low >= $13 and v.low < $14 and v.high < $15))) or ((v.unit = any($16)
 and (v.low < $17 or v.high >= $18))))))
 order by r.last_updated desc, r.rid desc limit 51) u
