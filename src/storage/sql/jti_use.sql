-- binds: client, SHA-256 of the jti, until when it is remembered; no row where it was used before
insert into assertion_jti (client, jti, expires) values ($1, $2, $3)
on conflict do nothing
