
  from prior p join change c on p.rid = c.rid
  where r.rid = p.rid
  returning r.rid
)
