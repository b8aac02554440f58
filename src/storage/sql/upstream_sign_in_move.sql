-- binds: session before, session after
update upstream_sign_in set session = $2 where session = $1
