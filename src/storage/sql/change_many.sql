
  select rid, type, id, version, generation, last_updated, deleted, patient, date_low,
    date_high, lead, keys::bigint[], present::smallint[], subject_rids::bigint[], labels::bigint[],
    profiles::bigint[], body
  from unnest(
