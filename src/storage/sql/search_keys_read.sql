select 0 as kind, w.n, t.token as id
from unnest($1::text[], $2::text[]) with ordinality as w(system, code, n)
join token t on t.code = w.code and t.system = w.system
union all
select 1, w.n, t.token
from unnest($3::text[]) with ordinality as w(code, n)
join token t on t.code = w.code
union all
select 2, w.n, t.token
from unnest($4::text[]) with ordinality as w(system, n)
cross join lateral (select s.token from token s where s.system = w.system limit $5) t
union all
select 3, w.n, coalesce(r.rid, s.rid)
from unnest($6::smallint[], $7::text[]) with ordinality as w(type, id, n)
left join resource r on r.id = w.id and r.type = w.type
left join reference_stub s on s.id = w.id and s.type = w.type
where coalesce(r.rid, s.rid) is not null
