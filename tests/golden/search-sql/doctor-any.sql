-- a doctor: Appointment?status=booked
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 5
 and (exists (select from care_link care
 where care.practitioner = $1 and care.patient = any(r.subject_rids) and care.valid_from <= now() and care.valid_to > now()) or r.rid = any($2) or r.author = any($3))
 and (r.keys && $4)
 order by r.last_updated desc, r.rid desc limit 51) u
