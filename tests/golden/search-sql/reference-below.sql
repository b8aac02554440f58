-- Procedure?location:below=42
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 110
 and (r.keys && (select at_most(array(with recursive h (rid) as (select unnest($1::bigint[]) union select c.rid from h join resource c on c.keys && array[$2 | h.rid]
 where not c.deleted) select $3 | h.rid from h limit $4), $5)))
 order by r.last_updated desc, r.rid desc limit 51) u
