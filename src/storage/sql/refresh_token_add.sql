-- binds: hash, grant, now, idle until, expires
insert into refresh_token (hash, access_grant, created, idle_expires, expires)
values ($1, $2, $3, $4, $5)
