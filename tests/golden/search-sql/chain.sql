-- Observation?encounter.service-provider.name=a
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 96
 and (r.keys && array(select $1 | r.rid
 from resource r
 where not r.deleted and r.type = 44
 and (r.keys && array(select $2 | r.rid
 from resource r
 where not r.deleted and r.type = 100
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $3
 and (v.normalised >= $4 and v.normalised < $5)))
 union all select $6 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 100
 and (select c.type from contained_resource c
 where c.type >= 100
 order by c.type limit 1) = 100
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $7
 and (v.normalised >= $8 and v.normalised < $9))) and r.rid > -140737488355328))
 union all select $10 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 44
 and (select c.type from contained_resource c
 where c.type >= 44
 order by c.type limit 1) = 44
 and (r.keys && array(select $11 | r.rid
 from resource r
 where not r.deleted and r.type = 100
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $12
 and (v.normalised >= $13 and v.normalised < $14)))
 union all select $15 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 100
 and (select c.type from contained_resource c
 where c.type >= 100
 order by c.type limit 1) = 100
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $16
 and (v.normalised >= $17 and v.normalised < $18))) and r.rid > -140737488355328)) and r.rid > -140737488355328))
 order by r.last_updated desc, r.rid desc limit 51) u
