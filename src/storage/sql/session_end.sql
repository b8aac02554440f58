with ended as (
  delete from login_session
  where account = $1::text::uuid and hash = any($2)
  returning hash
)
update access_grant g set revoked = $3 from ended e
where g.session = e.hash and g.revoked is null
returning g.access_grant
