-- Patient?_filter=family eq a or given ew b_ or family ge c or family le d or given co e
select * from (select r.rid, r.type, r.id, r.version
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $1
 and (v.normalised = $2 or v.normalised >= $3 or v.normalised < $4)
 union all select v.rid from string_value v
 where v.parameter = $5
 and (v.normalised like $6 or v.normalised like $7)
 union all select v.rid from string_value v
 where v.normalised = '' and v.parameter = $8 and v.raw like $9
 union all select v.rid from string_value v
 where v.normalised = '' and v.parameter = $10 and v.raw like $11))) u
 order by rid limit 2
