-- Patient?_filter=family eq a or given ew b_ or family ge c or family le d or given co e
select * from (select r.rid, r.type, r.id, r.version
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $2
 and (v.normalised = $3 or v.normalised >= $4 or v.normalised < $5)
 union all select v.rid from string_value v
 where v.parameter = $6
 and (v.normalised like $7 or v.normalised like $8)
 union all select v.rid from string_value v
 where v.normalised = '' and v.parameter = $9 and v.raw like $10
 union all select v.rid from string_value v
 where v.normalised = '' and v.parameter = $11 and v.raw like $12))) u
 order by rid limit 2
