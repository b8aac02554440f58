-- Observation?code=http://l|1
select count(*) from (select 1
 from resource r
 where r.lead = $1
 and (r.subject_rids && $2 or r.owner = any($3) or r.author = any($4))
 union all select 1 from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $5
 and (r.subject_rids && $6 or r.owner = any($7) or r.author = any($8))) u
