-- MedicationRequest?medication.code=http://l|1
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 79
 and (r.keys && array(select $1 | r.rid
 from resource r
 where r.lead = $2
 union all select $3 | r.rid
 from resource r
 where not r.deleted and r.type = 75 and r.rid = any(array(select f.rid from lead_value f
 where f.lead = $4))
 union all select $5 | (r.rid & 281474976710655) from contained_match r
 where r.lead = $6
 and (select c.type from contained_resource c
 where c.type >= 75
 order by c.type limit 1) = 75 and r.rid > -140737488355328
 union all select $7 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 75
 and (select c.type from contained_resource c
 where c.type >= 75
 order by c.type limit 1) = 75 and r.rid = any(array(select h.rid from contained_resource h
 where h.keys && $8)) and r.rid > -140737488355328))
 order by r.last_updated desc, r.rid desc limit 51) u
