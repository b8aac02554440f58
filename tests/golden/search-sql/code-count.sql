-- Observation?code=http://l|1&status=final
select count(*) from (select 1
 from resource r
 where r.lead = $1
 and ((r.keys && $2) is true)
 union all select 1 from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $3
 and ((r.keys && $4) is true)) u
