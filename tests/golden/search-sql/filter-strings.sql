-- Patient?_filter=family eq a or given ew b_ or family ge c or family le d or given co e
select * from (select r.rid, r.type, r.id, r.version
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $2
 and ((v.raw <> '' and v.normalised <> '' and v.normalised = $3) or (v.raw <> '' and v.normalised <> '' and v.normalised >= $4) or (v.raw <> '' and v.normalised <> '' and v.normalised < $5))
 union all select v.rid from string_value v
 where v.parameter = $6
 and ((v.normalised like $7 or v.normalised = '' and v.raw like $8) or (v.normalised like $9 or v.normalised = '' and v.raw like $10))))) u
 order by rid limit $11
