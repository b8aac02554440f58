      not exists (select from care_link l
        where l.source_rid = n.source_rid and l.practitioner = n.practitioner
          and l.patient = n.patient)
      and exists (select from resource r
        where r.rid = n.source_rid and r.owner is null and r.author is null)
