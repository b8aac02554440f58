-- Observation?patient=Patient/1&code=http://l|1
select h.rid, h.type, h.id, h.version, h.last_updated, h.deleted, h.body
 from resource r cross join lateral (select o.* from resource_history o
 where o.rid = r.rid
 and (o.epoch < $1 or o.xid < (select $2::xid8) or pg_visible_in_snapshot(o.xid, (select $3::pg_snapshot)))
 order by o.version desc limit 1) h
 where not h.deleted and r.type = any($4) and r.version > 1 and r.epoch = $5 and r.xid >= (select $6::xid8) and not pg_visible_in_snapshot(r.xid, (select $7::pg_snapshot))
 and (r.subject_rids && $8 or r.owner = any($9) or r.author = any($10))
 and (h.subject_rids && $11 or h.owner = any($12) or h.author = any($13)) and h.subject_rids && $14 limit 2001
