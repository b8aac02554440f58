select pg_advisory_xact_lock(k)
from (
  select distinct hashtextextended(u.text, u.seed) as k
  from unnest($1::text[], $2::bigint[]) as u(text, seed)
  order by k
) as w
