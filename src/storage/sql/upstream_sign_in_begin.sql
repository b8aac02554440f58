-- binds: session, issuer, subject, refresh token, now
insert into upstream_sign_in (session, issuer, subject, refresh_token, checked)
values ($1, $2, $3, $4, $5)
