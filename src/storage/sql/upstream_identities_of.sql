-- binds: account
select issuer, linked from upstream_identity where account = $1::text::uuid order by issuer
