-- Binds: URL, code, logical id, definition, types. Nothing where no number is left. The lock of
-- search_definitions is held.
with new as (
  insert into parameter (parameter, url, code)
  select greatest(max(parameter), 4096) + 1, $1, $2 from parameter
  having max(parameter) < 32767
  returning parameter
)
insert into custom_parameter (parameter, resource_id, state, definition, types)
select parameter, $3, 'building', $4, $5 from new
