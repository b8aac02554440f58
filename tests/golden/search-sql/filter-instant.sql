-- Patient?_filter=_lastUpdated co 2020 or _lastUpdated po 2021
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and ((r.last_updated <= $2 and r.last_updated >= $3) or (r.last_updated >= $4 and r.last_updated < $5))
 order by r.last_updated desc, r.rid desc limit 51
