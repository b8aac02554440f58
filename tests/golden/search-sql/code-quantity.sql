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
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96 and r.rid = any(array(select h.rid from resource h
 where h.keys && $14))
 and (r.lead = $15) is not true and r.rid in (select v.rid from quantity_value v
 where v.parameter = $16 and v.lead = any(array(select distinct coalesce(h.lead, 0) from resource h
 where h.keys && $17)) and not (v.low < v.high)
 and (((v.unit = $18
 and (v.low > $19)) or (v.unit = $20
 and (v.low > $21)) or (v.unit = $22
 and (v.low > $23))))
 and (((v.unit = any($24)
 and (v.low <= $25))))
 union all select v.rid from quantity_value v
 where v.parameter = $26 and v.lead = any(array(select distinct coalesce(h.lead, 0) from resource h
 where h.keys && $27)) and v.low < v.high
 and (((v.unit = $28
 and (v.high > $29)) or (v.unit = $30
 and (v.high > $31)) or (v.unit = $32
 and (v.high > $33))))
 and (((v.unit = any($34)
 and (v.low <= $35))))) and true
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
