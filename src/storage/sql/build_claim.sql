-- The oldest parameter whose rows are to be made or removed, and that nobody works on.
update custom_parameter c set holder = $1, leased_until = clock_timestamp() + interval '30 seconds'
where c.parameter = (
  select parameter from custom_parameter
  where state <> 'ready'
    and (leased_until is null or leased_until < clock_timestamp() or holder = $1)
  order by parameter limit 1
  for update skip locked
)
returning c.parameter, c.state, c.types, c.is_settled, c.position
