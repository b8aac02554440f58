-- binds: hash of the session, now; offline access goes on without it
update access_grant set revoked = $2
where session = $1 and revoked is null and not 'offline_access' = any (string_to_array(scopes, ' '))
