-- Observation?code=1
explain (format json) select r.rid
 from resource r
 where not r.deleted and r.type = $1 and r.lead = any($2)
 union all select r.rid
 from resource r
 where not r.deleted and r.type = $3 and r.keys && $4
 and (r.lead = any($5)) is not true
