-- binds: systems and codes, systems as a whole, `system|code` that is left out of them, limit
select t.token
from unnest($1::text[], $2::text[]) as w(system, code)
join token t on t.code = w.code and t.system = w.system
union
select t.token
from unnest($3::text[]) as w(system)
cross join lateral (
  select s.token from token s
  where s.system = w.system and s.code <> '' and s.system || '|' || s.code <> all($4::text[])
  limit $5
) t
