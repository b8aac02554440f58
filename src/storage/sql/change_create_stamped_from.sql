) as s(rid, owner, author) using (rid)
  where version = 1
  returning rid
)