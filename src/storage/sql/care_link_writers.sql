 r on r.source_rid = a.one
    ) n
    join unnest(
