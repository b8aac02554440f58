-- binds: grant, now
update access_grant set revoked = $2 where access_grant = $1 and revoked is null
