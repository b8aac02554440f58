-- binds: beginnings of texts, what sorts behind them, media types, limit
select 0 as kind, w.n, t.text as id
from unnest($1::text[], $2::text[]) with ordinality as w(low, high, n)
cross join lateral (
  select s.text from coded_text s where s.folded >= w.low and s.folded < w.high limit $4
) t
union all
select 1, w.n, t.token
from unnest($1::text[], $2::text[]) with ordinality as w(low, high, n)
cross join lateral (
  select k.token from coded_text s join token_text k on k.text = s.text and k.text > 0
  where s.folded >= w.low and s.folded < w.high limit $4
) t
union all
select 2, w.n, t.token
from unnest($3::text[]) with ordinality as w(kind, n)
cross join lateral (
  select s.token from token s
  where s.system = ''
    and (s.code = w.kind or s.code >= w.kind || ';' and s.code < w.kind || '<')
  limit $4
) t
