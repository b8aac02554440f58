-- binds: sign-in, now, refresh token; the one of before where the provider gave no other
update upstream_sign_in
set checked = $2, refresh_token = coalesce($3, refresh_token), asked_until = null
where upstream_sign_in = $1
