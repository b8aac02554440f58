-- binds: grant
select u.upstream_sign_in, u.issuer, u.subject, u.refresh_token, u.checked, u.ended is not null
    as is_ended, i.account::text as account, i.role, a.role as account_role
from access_grant g
join upstream_sign_in u using (upstream_sign_in)
join upstream_identity i on (i.issuer, i.subject) = (u.issuer, u.subject)
join account a on a.account = i.account
where g.access_grant = $1
