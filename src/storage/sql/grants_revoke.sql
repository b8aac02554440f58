update access_grant set revoked = $3
where account = $1::text::uuid and client = $2 and revoked is null
returning access_grant
