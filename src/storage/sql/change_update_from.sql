
  from change c
  where r.rid = c.rid and r.version = c.version - 1
  returning r.rid
)
