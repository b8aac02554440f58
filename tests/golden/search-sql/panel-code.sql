-- a doctor: Observation?code=http://l|1&_sort=-date
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $1
 and (exists (select from care_link care
 where care.practitioner = $2 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and exists (select from care_link c
 where c.practitioner = $3 offset 2000)
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $4
 and (exists (select from care_link care
 where care.practitioner = $5 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now()))
 order by f.date_low desc nulls last, f.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value from (select distinct c.patient from care_link c
 where c.practitioner = $6 and c.valid_from <= now() and c.valid_to > now()) p cross join lateral (select *
 from resource r
 where r.patient = p.patient and r.type = 96 and r.lead = $7 offset 0) r
 where not r.deleted and not exists (select from care_link c
 where c.practitioner = $8 offset 2000)
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = 96
 and (exists (select from care_link care
 where care.practitioner = $9 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and r.patient is null and r.subject_rids <> '{}' and r.lead = $10 and not exists (select from care_link c
 where c.practitioner = $11 offset 2000)
 order by r.date_low desc nulls last, r.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
