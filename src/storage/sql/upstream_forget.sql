-- binds: now, when a sign-in without session and grant is forgotten
with requests as (
  delete from upstream_request where expires < $1
)
delete from upstream_sign_in u
where u.checked < $2
  and not exists (select from login_session s where s.hash = u.session)
  and not exists (select from access_grant g where g.upstream_sign_in = u.upstream_sign_in)
