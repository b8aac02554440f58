) with ordinality as w(type, id, n)
left join resource r on r.id = w.id and r.type = w.type
left join reference_stub s on r.rid is null and s.id = w.id and s.type = w.type
order by w.n
