-- Observation?code=http://l|1
select count(*) from (select 1
 from resource r
 where r.lead = $1
 and (r.subject_rids && $2 or r.owner = any($3) or r.author = any($4))
 union all select 1
 from resource r
 where not r.deleted and r.type = $5
 and (r.subject_rids && $6 or r.owner = any($7) or r.author = any($8)) and r.rid = any(array(select h.rid from resource h
 where h.keys && $9))
 and (r.lead = $10) is not true) u
