-- binds: kid, purpose, algorithm, state, public JWK, sealed private key, created, activated
insert into signing_key (kid, purpose, algorithm, state, public_jwk, sealed, created, activated)
values ($1, $2, $3, $4, $5, $6, $7, $8)
