-- binds: hash, provider, visitor, account, sealed, now, expires
insert into upstream_request (hash, provider, visitor, account, sealed, created, expires)
values ($1, $2, $3, $4::text::uuid, $5, $6, $7)
