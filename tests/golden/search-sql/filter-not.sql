-- Patient?_filter=not (gender eq male and name sw a) and (active eq true or not (family eq b))
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 103
 and ((r.lead = any($1) or r.keys && $2)
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$3, $4])
 and (v.normalised >= $5 and v.normalised < $6)))) is not true
 and (r.keys && $7 or (r.rid in (select v.rid from string_value v
 where v.parameter = $8 and v.normalised = $9)) is not true)
 order by r.last_updated desc, r.rid desc limit 51) u
