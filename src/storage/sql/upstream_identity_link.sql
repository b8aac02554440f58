-- binds: issuer, subject, account, now; nothing where either is linked already
insert into upstream_identity (issuer, subject, account, linked)
values ($1, $2, $3::text::uuid, $4)
on conflict do nothing
