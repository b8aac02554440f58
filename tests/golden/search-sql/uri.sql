-- ValueSet?url=http://a
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from uri_value v
 where v.parameter = $2 and v.value = $3))
 order by r.last_updated desc, r.rid desc limit 51
