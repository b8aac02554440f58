select 0::smallint as kind, w.n, t.token as id, k.text
from unnest($1::text[], $2::text[]) with ordinality as w(system, code, n)
join token t on t.code = w.code and t.system = w.system
left join token_text k on k.token = t.token
union all
select 1::smallint, w.n, coalesce(r.rid, s.rid), null
from unnest($3::smallint[], $4::text[]) with ordinality as w(type, id, n)
left join resource r on r.id = w.id and r.type = w.type
left join reference_stub s on s.id = w.id and s.type = w.type
where coalesce(r.rid, s.rid) is not null
union all
select 2::smallint, w.n, u.unit, null
from unnest($5::text[], $6::text[], $7::text[]) with ordinality as w(system, code, text, n)
join unit u on u.code = w.code and u.text = w.text and u.system = w.system
union all
select 3::smallint, w.n, t.text, null
from unnest($8::text[]) with ordinality as w(folded, n)
join coded_text t on t.folded = w.folded
