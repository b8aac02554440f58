-- Observation?code=1
explain (format json) select r.rid
 from resource r
 where r.lead = $1
 union all select r.rid
 from resource r
 where r.lead = $2
 union all select r.rid
 from resource r
 where not r.deleted and r.type = 96 and r.rid = any(array(select f.rid from lead_value f
 where f.lead = any($3)))
 and (r.lead = any($4)) is not true
