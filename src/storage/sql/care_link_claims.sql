      as is_granted
    from (
      select coalesce(r.practitioner, a.one) as practitioner, a.patient, a.source_rid, a.source,
        a.valid_from, a.valid_to, a.writer
      from unnest(
