update custom_parameter set state = 'ready', finished = now(), holder = null, leased_until = null
where parameter = $1 and holder = $2 and state = 'building'
