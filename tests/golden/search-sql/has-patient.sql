-- Patient?_has:Observation:patient:code=http://l|1&gender=male
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (r.rid in (select r.patient
 from resource r
 where r.lead = $2 and r.patient is not null
 union all select r.patient
 from resource r
 where not r.deleted and r.type = 96 and r.rid = any(array(select f.rid from lead_value f
 where f.lead = $3)) and r.patient is not null))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $4
 and (r.rid in (select r.patient
 from resource r
 where r.lead = $5 and r.patient is not null
 union all select r.patient
 from resource r
 where not r.deleted and r.type = 96 and r.rid = any(array(select f.rid from lead_value f
 where f.lead = $6)) and r.patient is not null))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 103 and r.rid = any(array(select f.rid from lead_value f
 where f.lead = any($7)))
 and (r.lead = any($8)) is not true
 and (r.rid in (select r.patient
 from resource r
 where r.lead = $9 and r.patient is not null
 union all select r.patient
 from resource r
 where not r.deleted and r.type = 96 and r.rid = any(array(select f.rid from lead_value f
 where f.lead = $10)) and r.patient is not null))
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
