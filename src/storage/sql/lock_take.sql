select pg_advisory_xact_lock(k)
from (
  select u.k from unnest($1::bigint[]) as u(k)
  union
  select reference_lock(u.type, u.id) from unnest($2::smallint[], $3::text[]) as u(type, id)
  order by k
) as w
