-- binds: hash, provider, visitor, now
delete from upstream_request
where hash = $1 and provider = $2 and visitor = $3 and expires > $4
returning account::text as account, sealed, created
