-- binds: account, issuer; ends the sessions of sign-ins by it, and takes its grants with it
with gone as (
  delete from upstream_identity where account = $1::text::uuid and issuer = $2
  returning issuer, subject
), sessions as (
  delete from login_session s using upstream_sign_in u, gone
  where u.session = s.hash and (u.issuer, u.subject) = (gone.issuer, gone.subject)
)
select 1 from gone
