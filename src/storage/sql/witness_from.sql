) as witness
  from resource c
  left join lateral (
    select h.rid, h.owner, h.author, h.subject_rids from resource_history h
    where h.rid = c.rid and h.version = s.version and c.version <> s.version
    offset 0
  ) o on true
  where c.rid = case when s.rid < 0 then (-s.rid) >> 16 else s.rid end
  offset 0
) w on true
