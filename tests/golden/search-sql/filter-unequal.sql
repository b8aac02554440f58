-- Patient?_filter=gender ne male or identifier ne urn:mrn|7 or family ne a
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 103
 and (r.rid in (select v.rid from identifier_value v
 where v.parameter = $1 and not (v.value = $2 and v.system = $3)
 union all select v.rid from string_value v
 where v.parameter = $4 and not v.normalised = $5) or (exists (select from unnest(r.keys) as k(key)
 where k.key >> 48 = $6 and k.key <> all($7)) or r.type = any($8) and r.lead <> all($9)))
 order by r.last_updated desc, r.rid desc limit 51) u
