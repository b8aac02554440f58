-- binds: issuer, subject
select account::text as account, role from upstream_identity where issuer = $1 and subject = $2
