-- Patient?_filter=gender ne male or identifier ne urn:mrn|7 or family ne a
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[r.last_updated::text]::text[] as sort_values
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select v.rid from identifier_value v
 where v.parameter = $2 and not (v.value = $3 and v.system = $4)
 union all select v.rid from string_value v
 where v.parameter = $5 and not v.normalised = $6) or (exists (select from unnest(r.keys) as k(key)
 where k.key >> 48 = $7 and k.key <> all($8)) or r.type = any($9) and r.lead <> all($10)))
 order by r.last_updated desc, r.rid desc limit 51
