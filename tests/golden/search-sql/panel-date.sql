-- a doctor: Encounter?date=ge2024-01-01
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 44
 and (exists (select from care_link care
 where care.practitioner = $1 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and exists (select from care_link c
 where c.practitioner = $2 offset 2000)
 and (r.date_low, r.rid) >= ($3, 0)
 and (r.date_high - r.date_low > interval '25:00:00') is not true
 and ((r.date_low >= $4 or r.date_high > $5))
 union all select 1
 from resource r
 where not r.deleted and r.type = 44
 and (exists (select from care_link care
 where care.practitioner = $6 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and exists (select from care_link c
 where c.practitioner = $7 offset 2000) and r.date_high - r.date_low > interval '25:00:00'
 and ((r.date_low >= $8 or r.date_high > $9))
 union all select 1 from (select distinct c.patient from care_link c
 where c.practitioner = $10 and c.valid_from <= now() and c.valid_to > now()) p cross join lateral (select *
 from resource r
 where r.patient = p.patient and r.type = 44 offset 0) r
 where not r.deleted and not exists (select from care_link c
 where c.practitioner = $11 offset 2000)
 and ((r.date_low >= $12 or r.date_high > $13))
 union all select 1
 from resource r
 where not r.deleted and r.type = 44
 and (exists (select from care_link care
 where care.practitioner = $14 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and r.patient is null and r.subject_rids <> '{}' and not exists (select from care_link c
 where c.practitioner = $15 offset 2000)
 and ((r.date_low >= $16 or r.date_high > $17))) u
