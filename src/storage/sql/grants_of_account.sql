select g.access_grant, g.client, c.name, c.publisher, g.scopes, g.created, g.expires
from access_grant g join client c on c.client = g.client
where g.account = $1::text::uuid and g.revoked is null and g.expires > $2
  and g.account_epoch = (select a.epoch from account a where a.account = g.account)
order by g.created desc
limit $3
