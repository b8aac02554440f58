) as c(rid, version, type, id, patient, date_low, date_high, lead, keys, present)
  where true
