-- Patient?_has:Observation:patient:code=http://l|1
select c.rid from unnest($1) as c(rid) join resource r on r.rid = c.rid
 where r.rid in (select r.patient
 from resource r
 where r.lead = $2
 and (r.subject_rids && $3 or r.owner = any($4) or r.author = any($5)) and r.patient is not null
 union all select r.patient
 from resource r
 where not r.deleted and r.type = 96
 and (r.subject_rids && $6 or r.owner = any($7) or r.author = any($8)) and r.rid = any(array(select f.rid from lead_value f
 where f.lead = $9)) and r.patient is not null)
