-- Location?name=a&_contained=true&_containedType=contained
select *, (select 'changed' from resource c
 where c.type = any($1) and c.version > 1 and c.epoch = $2 and c.xid >= (select $3::xid8) and not pg_visible_in_snapshot(c.xid, (select $4::pg_snapshot)) limit 1) as horizon from (select r.rid, r.container_type as type, r.container_id as id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value from contained_match r
 where not r.deleted and r.type = 71
 and (r.epoch < $5 or r.xid < (select $6::xid8) or pg_visible_in_snapshot(r.xid, (select $7::pg_snapshot)))
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $8
 and (v.normalised >= $9 and v.normalised < $10)))
 and (r.last_updated, r.rid) < ($11::text::timestamptz, $12)
 order by r.last_updated desc, r.rid desc limit 51) u
