-- Patient?_filter=(birthdate pr false and gender eq male) or (active pr true and death-date pr true)
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select r.rid
 from resource r
 where not r.deleted and r.type = $2
 and (r.present @> $3) is not true
 and (r.lead = any($4) or r.keys && $5)) or (r.present @> $6)
 and (r.present @> $7))) u
