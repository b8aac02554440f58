) as c(rid, type, id, version, generation, last_updated, deleted, patient, date_low,
    date_high, lead, keys, present, subject_rids, labels, profiles, body)
