select r.type, r.id, t.type as target_type, t.id as target_id
from resource r
cross join lateral (
  select k & ((1::bigint << 48) - 1) as rid from unnest(r.keys) as u(k) where k = any($1)
  limit 1
) as hit
join resource t on t.rid = hit.rid
where r.keys && $1 and not r.deleted and r.rid <> all($2)
limit 1
