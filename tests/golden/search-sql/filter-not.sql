-- Patient?_filter=not (gender eq male and name sw a) and (active eq true or not (family eq b))
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and ((r.lead = any($2) or r.keys && $3)
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$4, $5])
 and (v.normalised >= $6 and v.normalised < $7)))) is not true
 and (r.keys && $8 or (r.rid in (select v.rid from string_value v
 where v.parameter = $9 and v.normalised = $10)) is not true)
 order by r.last_updated desc, r.rid desc limit 51
