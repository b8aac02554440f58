) as w(n, name, self, may_grant, patients, organizations, referrer) on w.n = n.writer
    cross join lateral (
      select p.until, case
        when p.organization is null or p.organization = any(
          organizations_under((w.organizations::bigint[])[:1])) then (w.organizations::bigint[])[1]
        else p.organization end as root
      from (
        select max(r.valid_to) as until,
          (array_agg(r.organization order by r.valid_to desc))[1] as organization
        from 