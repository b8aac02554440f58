-- Patient?name=eve&family:exact=Dupr%&given:contains=a_
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$2, $3])
 and (v.normalised >= $4 and v.normalised < $5)))
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $6
 and (v.normalised = $7 and v.raw = $8)))
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $9 and v.normalised like $10
 union all select v.rid from string_value v
 where v.normalised = '' and v.parameter = $11 and v.raw like $12))
 order by r.last_updated desc, r.rid desc limit 51
