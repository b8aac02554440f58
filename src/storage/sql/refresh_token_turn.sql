-- binds: hash, now, hash of the next, idle until; no row where somebody else was first
with spent as (
  update refresh_token set used = $2
  where hash = $1 and used is null and idle_expires > $2 and expires > $2
  returning access_grant, expires
)
insert into refresh_token (hash, access_grant, created, idle_expires, expires)
select $3, access_grant, $2, least($4, expires), expires from spent
