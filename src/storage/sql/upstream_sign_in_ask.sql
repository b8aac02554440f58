-- binds: sign-in, now, until when nobody else asks
update upstream_sign_in set asked_until = $3
where upstream_sign_in = $1 and (asked_until is null or asked_until <= $2)
