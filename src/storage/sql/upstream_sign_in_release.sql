-- binds: sign-in
update upstream_sign_in set asked_until = null where upstream_sign_in = $1
