-- Observation?code=http://l|1&status=final
select count(*) from (select 1
 from resource r
 where r.lead = $1
 and ((r.keys && $2) is true)
 union all select 1
 from resource r
 where not r.deleted and r.type = $3 and r.rid = any(array(select h.rid from resource h
 where h.keys && $4))
 and (r.lead = $5) is not true
 and ((r.keys && $6) is true)) u
