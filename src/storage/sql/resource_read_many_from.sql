
) with ordinality as w(type, id, n)
cross join lateral (
  select r.rid, r.version, r.last_updated, r.deleted, r.body
  from resource r
  where r.id = w.id and r.type = w.type