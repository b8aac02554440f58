-- binds: client, account, session, scopes, launch, patient, methods, signed in, now, expires
insert into access_grant (client, account, session, scopes, launch, patient_rid, methods, signed_in,
  account_epoch, client_epoch, created, expires)
select c.client, a.account, $3, $4, $5::jsonb, $6, $7, $8, coalesce(a.epoch, 0), c.epoch, $9, $10
from client c
left join account a on a.account = $2::uuid
where c.client = $1 and c.status = 'active' and ($2 is null or a.status = 'active')
returning access_grant
