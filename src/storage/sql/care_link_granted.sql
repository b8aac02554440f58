      w.self is distinct from n.practitioner and (
        w.may_grant or n.patient = any(w.patients::bigint[]) or role.until is not null
        or exists (select from care_link l
          where l.practitioner = w.referrer and l.patient = n.patient
            and l.valid_from <= now() and l.valid_to > now())
      )
