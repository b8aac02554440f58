, contained_written as (
  insert into contained_resource (rid, version, type, id, date_low, date_high, lead, keys,
    present)
  select rid, version, type, id, date_low, date_high, lead, keys::bigint[],
    present::smallint[]
  from unnest(
