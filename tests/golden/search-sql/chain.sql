-- Observation?encounter.service-provider.name=a
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.keys && array(select $2 | r.rid
 from resource r
 where not r.deleted and r.type = $3
 and (r.keys && array(select $4 | r.rid
 from resource r
 where not r.deleted and r.type = $5
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $6
 and (v.normalised >= $7 and v.normalised < $8)))))))
 order by r.last_updated desc, r.rid desc limit 51
