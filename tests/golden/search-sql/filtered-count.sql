-- Observation?code=http://l|1
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = $1
 and (r.subject_rids && $2 or r.owner = any($3) or r.author = any($4)) and r.lead = $5
 union all select 1
 from resource r
 where not r.deleted and r.type = $6
 and (r.subject_rids && $7 or r.owner = any($8) or r.author = any($9)) and r.keys && $10
 and (r.lead = $11) is not true) u
