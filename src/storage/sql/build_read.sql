-- Binds: types, after which rid, how many rows to look at, a parameter that the rows must have
-- or null.
with looked_at as (
  select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.generation, r.present
  from resource r
  where r.rid > $2
  order by r.rid
  limit $3
), container as (
  -- What contains resources of the types, and the parameters that these have.
  select distinct (-c.rid) >> 16 as rid
  from contained_resource c
  where c.type = any($1)
    and ($4::smallint is null or c.present @> array[$4]
      or exists (select from unnest(c.keys) k where k >> 48 = $4))
    and c.rid >= (select -((max(rid) << 16) | 65535) from looked_at)
    and c.rid <= (select -(min(rid) << 16) from looked_at)
)
select w.rid, w.type, w.id, w.version, w.last_updated, w.deleted, w.body, w.generation,
  l.last, l.seen
from (
  select max(rid) as last, count(*) filter (where type = any($1)) as seen from looked_at
) l
left join looked_at w on not w.deleted
  and (w.type = any($1) and ($4::smallint is null or w.present @> array[$4])
    or w.rid in (select c.rid from container c))
order by w.rid
