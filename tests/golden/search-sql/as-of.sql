-- Patient?_sort=-_lastUpdated
select *, (select 'changed' from resource c
 where c.type = any($1) and c.version > 1 and c.epoch = $2 and c.xid >= (select $3::xid8) and not pg_visible_in_snapshot(c.xid, (select $4::pg_snapshot)) limit 1) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 103
 and (r.epoch < $5 or r.xid < (select $6::xid8) or pg_visible_in_snapshot(r.xid, (select $7::pg_snapshot)))
 and (r.last_updated, r.rid) < ($8::text::timestamptz, $9)
 order by r.last_updated desc, r.rid desc limit 51) u
