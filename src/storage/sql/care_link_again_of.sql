)
      )
    ) c
    cross join lateral (select organizations_under(array[c.organization]) as organizations) u
    left join role_now r on r.practitioner = c.practitioner
      and r.organization = any(u.organizations) and r.valid_from <= now() and r.valid_to > now()
    group by c.practitioner, c.organization
  ) n
  where l.practitioner = n.practitioner and l.organization = n.organization
    and l.valid_to <> case when n.until is null then '-infinity'
      else least(l.claimed_to, n.until) end
    and l.source_rid <> all(