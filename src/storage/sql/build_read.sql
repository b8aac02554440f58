-- Binds: types, after which rid, how many rows to look at, a parameter that the rows must have
-- or null.
with looked_at as (
  select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.generation, r.present
  from resource r
  where r.rid > $2
  order by r.rid
  limit $3
)
select w.rid, w.type, w.id, w.version, w.last_updated, w.deleted, w.body, w.generation,
  l.last, l.seen
from (
  select max(rid) as last, count(*) filter (where type = any($1)) as seen from looked_at
) l
left join looked_at w on w.type = any($1) and not w.deleted
  and ($4::smallint is null or w.present @> array[$4])
order by w.rid
