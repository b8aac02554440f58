-- Patient?_has:Observation:patient:code=http://l|1
select c.rid from unnest($1) as c(rid) join resource r on r.rid = c.rid
 where r.rid in (select r.patient
 from resource r
 where not r.deleted and r.type = $2
 and (r.subject_rids && $3 or r.owner = any($4) or r.author = any($5))
 and (r.lead = $6 or r.keys && $7) and r.patient is not null)
