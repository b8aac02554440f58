-- Nothing where another process took over, or the state changed.
update custom_parameter set position = $4, seen = seen + $5, indexed = indexed + $6,
  is_settled = true, leased_until = clock_timestamp() + interval '30 seconds'
where parameter = $1 and holder = $2 and state = $3
returning seen, coalesce(total, 0)
