-- Observation?code=http://l|1&value-quantity=gt5.4|http://unitsofmeasure.org|mg&value-quantity=le6
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1 and r.rid in (select v.rid from quantity_value v
 where v.parameter = $2 and v.lead = $3 and not (v.low < v.high)
 and (((v.unit = $4
 and (v.low > $5))))
 and (((v.unit = any($6)
 and (v.low <= $7))))
 union all select v.rid from quantity_value v
 where v.parameter = $8 and v.lead = $9 and v.low < v.high
 and (((v.unit = $10
 and (v.high > $11))))
 and (((v.unit = any($12)
 and (v.low <= $13))))) and true
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $14 and r.rid in (select v.rid from quantity_value v
 where v.parameter = $15 and v.lead = any(array(select distinct coalesce(h.lead, 0) from lead_value f join resource h on h.rid = f.rid
 where f.lead = any($16))) and not (v.low < v.high)
 and (((v.unit = $17
 and (v.low > $18)) or (v.unit = $19
 and (v.low > $20)) or (v.unit = $21
 and (v.low > $22))))
 and (((v.unit = any($23)
 and (v.low <= $24))))
 union all select v.rid from quantity_value v
 where v.parameter = $25 and v.lead = any(array(select distinct coalesce(h.lead, 0) from lead_value f join resource h on h.rid = f.rid
 where f.lead = any($26))) and v.low < v.high
 and (((v.unit = $27
 and (v.high > $28)) or (v.unit = $29
 and (v.high > $30)) or (v.unit = $31
 and (v.high > $32))))
 and (((v.unit = any($33)
 and (v.low <= $34))))) and true
 order by f.date_low desc nulls last, f.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
