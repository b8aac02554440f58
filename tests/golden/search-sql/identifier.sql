-- Patient?identifier=urn:mrn|7&gender=male
select * from (select r.rid, r.type, r.id, r.version
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from identifier_value v
 where v.parameter = $2
 and (v.value = $3 and v.system = $4)))
 and (r.lead = any($5) or (r.keys && $6) is true)) u
 order by rid limit 2
