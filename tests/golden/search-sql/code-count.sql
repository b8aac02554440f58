-- Observation?code=http://l|1&status=final
select count(*) from (select 1
 from resource r
 where r.lead = $1
 and ((r.keys && $2) is true)
 union all select 1
 from resource r
 where not r.deleted and r.type = 96 and r.rid = any(array(select h.rid from resource h
 where h.keys && $3))
 and (r.lead = $4) is not true
 and ((r.keys && $5) is true)) u
