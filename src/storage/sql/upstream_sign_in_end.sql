-- binds: sign-in, now
with ended as (
  update upstream_sign_in set ended = $2, refresh_token = null, asked_until = null
  where upstream_sign_in = $1
  returning upstream_sign_in, session
), sessions as (
  delete from login_session s using ended where s.hash = ended.session
)
update access_grant g set revoked = $2 from ended e
where g.upstream_sign_in = e.upstream_sign_in and g.revoked is null
returning g.access_grant
