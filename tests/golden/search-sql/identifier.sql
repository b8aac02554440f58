-- Patient?identifier=urn:mrn|7&gender=male
select * from (select r.rid, r.type, r.id, r.version
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from identifier_value v
 where v.parameter = $1
 and (v.value = $2 and v.system = $3)))
 and (r.lead = any($4) or (r.keys && $5) is true)) u
 order by rid limit 2
