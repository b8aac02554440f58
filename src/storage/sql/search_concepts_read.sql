-- binds: systems and codes, systems as a whole, `system|code` that is left out of them, limit
select t.token
from unnest($1::text[], $2::text[]) as w(system, code)
join token t on t.code = w.code and t.system = w.system
union
(
  select s.token from token s
  where s.system = any($3::text[]) and s.code <> ''
    and not exists (
      select from unnest($4::text[]) as x(excepted) where x.excepted = s.system || '|' || s.code
    )
  limit $5
)
