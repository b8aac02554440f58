 and coalesce(
    (select n.last_updated from resource_history n
      where n.rid = h.rid and n.version = h.version + 1),
    (select n.last_updated from resource n where n.rid = h.rid)
  ) > 
