) as c(rid, version, type, id, date_low, date_high, lead, keys, present)
  where true
