update custom_parameter set leased_until = clock_timestamp() + interval '30 seconds',
  total = coalesce($4, total)
where parameter = $1 and holder = $2 and state = $3
