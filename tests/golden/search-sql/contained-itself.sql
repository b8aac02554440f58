-- Observation?patient=1&value-quantity=gt5&_contained=both&_containedType=contained
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.patient = $1 and r.rid in (select v.rid from quantity_value v
 where v.parameter = $2 and v.lead = any(array(select quantity_leads($3))) and not (v.low < v.high)
 and (((v.unit = any($4)
 and (v.low > $5))))
 union all select v.rid from quantity_value v
 where v.parameter = $6 and v.lead = any(array(select quantity_leads($7))) and v.low < v.high
 and (((v.unit = any($8)
 and (v.high > $9)))))
 and (r.date_low > $10::text::timestamptz or (r.date_low = $11::text::timestamptz and r.rid > $12))
 order by r.date_low nulls first, r.rid limit 51)
 union all (select r.rid, r.container_type as type, r.container_id as id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value from contained_match r
 where not r.deleted and r.type = 96
 and (r.keys && $13) and r.rid in (select v.rid from quantity_value v
 where v.parameter = $14 and v.lead = any(array(select quantity_leads($15))) and not (v.low < v.high)
 and (((v.unit = any($16)
 and (v.low > $17))))
 union all select v.rid from quantity_value v
 where v.parameter = $18 and v.lead = any(array(select quantity_leads($19))) and v.low < v.high
 and (((v.unit = any($20)
 and (v.high > $21)))))
 and (r.date_low > $22::text::timestamptz or (r.date_low = $23::text::timestamptz and r.rid > $24))
 order by r.date_low nulls first, r.rid limit 51)) u
 order by value nulls first, rid limit 51
