-- Procedure?location:below=42
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.keys && (select at_most(array(with recursive h (rid) as (select unnest($2::bigint[]) union select c.rid from h join resource c on c.keys && array[$3 | h.rid]
 where not c.deleted) select $4 | h.rid from h limit $5), $6)))
 order by r.last_updated desc, r.rid desc limit 51
