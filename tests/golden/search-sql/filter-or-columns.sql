-- Patient?_filter=(birthdate pr false and gender eq male) or (active pr true and death-date pr true)
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select r.rid
 from resource r
 where not r.deleted and r.type = 103
 and (r.present @> $1) is not true
 and (r.lead = any($2) or r.keys && $3)) or (r.present @> $4)
 and (r.present @> $5))) u
