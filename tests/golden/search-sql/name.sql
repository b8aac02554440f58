-- Patient?name=eve&family:exact=Dupr%&given:contains=a_
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$1, $2])
 and (v.normalised >= $3 and v.normalised < $4)))
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $5
 and (v.normalised = $6 and v.raw = $7)))
 and (r.rid in (select v.rid from string_value v
 where v.parameter = $8 and v.normalised like $9
 union all select v.rid from string_value v
 where v.normalised = '' and v.parameter = $10 and v.raw like $11))
 order by r.last_updated desc, r.rid desc limit 51) u
