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
 and (v.normalised >= $4 and v.normalised < $5)))))))
 order by r.last_updated desc, r.rid desc limit 51) u
