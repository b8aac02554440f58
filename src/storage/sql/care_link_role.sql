 p
          where p.practitioner = n.practitioner
            and p.organization = any(w.organizations::bigint[])
            and p.valid_from <= now() and p.valid_to > now())
      )
