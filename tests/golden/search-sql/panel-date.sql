-- a doctor: Encounter?date=ge2024-01-01
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 44
 and (exists (select from care_link care
 where care.practitioner = $1 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and exists (select from care_link c
 where c.practitioner = $2 offset $3)
 and (r.date_low, r.rid) >= ($4, 0)
 and (r.date_high - r.date_low > interval '25:00:00') is not true
 and ((r.date_low >= $5 or r.date_high > $6))
 union all select 1
 from resource r
 where not r.deleted and r.type = 44
 and (exists (select from care_link care
 where care.practitioner = $7 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and exists (select from care_link c
 where c.practitioner = $8 offset $9) and r.date_high - r.date_low > interval '25:00:00'
 and ((r.date_low >= $10 or r.date_high > $11))
 union all select 1 from (select distinct c.patient from care_link c
 where c.practitioner = $12 and c.valid_from <= now() and c.valid_to > now()) p cross join lateral (select *
 from resource r
 where r.patient = p.patient and r.type = 44
 and (r.date_low, r.rid) >= ($13, 0)
 and (r.date_high - r.date_low > interval '25:00:00') is not true offset 0) r
 where not r.deleted and not exists (select from care_link c
 where c.practitioner = $14 offset $15)
 and ((r.date_low >= $16 or r.date_high > $17))
 union all select 1 from (select distinct c.patient from care_link c
 where c.practitioner = $18 and c.valid_from <= now() and c.valid_to > now()) p cross join lateral (select *
 from resource r
 where r.patient = p.patient and r.type = 44 and r.date_high - r.date_low > interval '25:00:00' offset 0) r
 where not r.deleted and not exists (select from care_link c
 where c.practitioner = $19 offset $20)
 and ((r.date_low >= $21 or r.date_high > $22))
 union all select 1
 from resource r
 where not r.deleted and r.type = 44
 and (exists (select from care_link care
 where care.practitioner = $23 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now())) and r.patient is null and r.subject_rids <> '{}' and not exists (select from care_link c
 where c.practitioner = $24 offset $25)
 and ((r.date_low >= $26 or r.date_high > $27))) u
