-- Observation?patient.name=eve&code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$2, $3])
 and (v.normalised >= $4 and v.normalised < $5)))))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96
 and (select f.rid from lead_value f
 where f.lead = $6
 order by f.date_low desc nulls last, f.rid desc limit 1) is not null
 and (r.keys && $7) is true
 and (r.patient in (select r.rid
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$8, $9])
 and (v.normalised >= $10 and v.normalised < $11)))))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
