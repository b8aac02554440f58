-- binds: grant, now; one that is still good
select g.access_grant, g.client, g.account::text as account, g.scopes, g.launch::text as launch,
  g.jkt, g.x5t, g.methods, g.signed_in, g.created, g.expires, p.type as person_type, p.id as person_id,
  s.expires as session_expires
from access_grant g
join client c on c.client = g.client
left join account a on a.account = g.account
left join account_person p on p.account = g.account
left join login_session s on s.hash = g.session and s.account_epoch = a.epoch and s.expires > $2
where g.access_grant = $1 and g.revoked is null and g.expires > $2
  and c.status = 'active' and c.epoch = g.client_epoch
  and (g.account is null or (a.status = 'active' and a.epoch = g.account_epoch))
