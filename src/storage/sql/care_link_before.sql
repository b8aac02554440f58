 r
        where r.practitioner = n.practitioner
          and r.organization = any(w.organizations::bigint[])
          and r.valid_from <= now() and r.valid_to > now()
      ) p
    ) role
  ) c
  left join lateral (
    select l.granted_by, l.valid_from, l.valid_to, l.organization, l.claimed_by, l.claimed_from,
      l.claimed_to
    from care_link l
    where l.source_rid = c.source_rid and l.source = c.source
      and l.practitioner = c.practitioner and l.patient = c.patient
    order by l.valid_to desc limit 1
  ) b on true
  cross join lateral (
    select c.is_granted or (b.granted_by is null and c.organization is not null) as is_claim
  ) k
  where true