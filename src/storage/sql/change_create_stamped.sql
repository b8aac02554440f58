, created as (
  insert into resource (rid, type, id, version, last_updated, patient, date_low, date_high,
    lead, keys, present, subject_rids, labels, profiles, body, epoch, generation, owner, author)
  select rid, type, id, version, last_updated, patient, date_low, date_high,
    lead, keys, present, subject_rids, labels, profiles, body, 