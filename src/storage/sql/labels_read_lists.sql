
), used as (
  select distinct v.list, v.token
  from seen
  cross join lateral (
    select 0, profile from unnest(seen.profiles) as profile
    union all
    select 1, label from unnest(seen.labels) as label
    union all
    select 2, key & 281474976710655 from unnest(seen.keys) as key where key >> 48 = 