
) with ordinality as w(type, id, n)
cross join lateral (
  select r.rid, r.version, r.last_updated, r.deleted, r.body, r.type, r.owner, r.author,
    r.subject_rids, r.keys
  from resource r
  where r.id = w.id and r.type = w.type