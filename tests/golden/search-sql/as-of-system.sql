-- ?_tag=http://t|a
select *, (select 'changed' from resource c
 where c.type = any($1) and c.version > 1 and c.epoch = $2 and c.xid >= (select $3::xid8) and not pg_visible_in_snapshot(c.xid, (select $4::pg_snapshot)) limit 1) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body
 from resource r
 where not r.deleted
 and (r.epoch < $5 or r.xid < (select $6::xid8) or pg_visible_in_snapshot(r.xid, (select $7::pg_snapshot)))
 and (r.keys && $8) and r.rid < $9
 order by r.rid desc limit 51) u
