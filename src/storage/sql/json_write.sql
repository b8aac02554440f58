, json_written as (
  insert into resource_json (rid, resource)
  select j.rid, j.resource::jsonb from unnest(
