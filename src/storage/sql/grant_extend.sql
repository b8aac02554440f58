-- binds: grant, expires
update access_grant set expires = $2 where access_grant = $1 and revoked is null
