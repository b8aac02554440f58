-- DocumentReference?contenttype:below=text/xml
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.keys && $2)
 order by r.last_updated desc, r.rid desc limit 51
