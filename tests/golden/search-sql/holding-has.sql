-- Patient?_has:Observation:patient:code=http://l|1
select c.rid from unnest($1) as c(rid) join resource r on r.rid = c.rid
 where r.rid in (select r.patient
 from resource r
 where r.lead = $2
 and (r.subject_rids && $3 or r.owner = any($4) or r.author = any($5)) and r.patient = any($6)
 union all select r.patient
 from resource r
 where not r.deleted and r.type = 96
 and (r.subject_rids && $7 or r.owner = any($8) or r.author = any($9)) and r.rid = any(array(select f.rid from lead_value f
 where f.lead = $10)) and r.patient = any($11))
