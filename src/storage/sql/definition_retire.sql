update custom_parameter set state = 'retired', started = now(), finished = null,
  is_settled = false, position = 0, seen = 0, indexed = 0, total = null, holder = null,
  leased_until = null
where parameter = $1
