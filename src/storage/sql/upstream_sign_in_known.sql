-- binds: session
select exists (select from upstream_sign_in where session = $1)
