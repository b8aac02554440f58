-- binds: now
update access_grant set revoked = $1 where revoked is null and expires > $1
