-- Patient?identifier=a|b&identifier:text=medical
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from identifier_value v
 where v.parameter = $2
 and (v.value = $3 and v.system = $4)))
 and ((r.keys && $5 or (r.keys && $6) and not r.keys && $7) is true)
 order by r.last_updated desc, r.rid desc limit 51
