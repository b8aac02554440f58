-- Observation?code=http://l|1
select count(*) from (select 1
 from resource r
 where r.lead = $1
 and (r.subject_rids && $2 or r.owner = any($3) or r.author = any($4))
 union all select 1
 from resource r
 where not r.deleted and r.type = 96
 and (r.subject_rids && $5 or r.owner = any($6) or r.author = any($7)) and r.rid = any(array(select h.rid from resource h
 where h.keys && $8))
 and (r.lead = $9) is not true) u
