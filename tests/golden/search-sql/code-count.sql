-- Observation?code=http://l|1&status=final
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = $1 and r.lead = $2
 and ((r.keys && $3) is true)
 union all select 1
 from resource r
 where not r.deleted and r.type = $4 and r.keys && $5
 and (r.lead = $6) is not true
 and ((r.keys && $7) is true)) u
