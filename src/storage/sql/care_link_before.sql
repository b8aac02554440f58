) as w(n, name, self, may_grant, patients, organizations, referrer) on w.n = n.writer
  ) c
  left join lateral (
    select l.granted_by, l.valid_from, l.valid_to
    from care_link l
    where l.source_rid = c.source_rid and l.source = c.source
      and l.practitioner = c.practitioner and l.patient = c.patient
    order by l.valid_to desc limit 1
  ) b on true
  where true