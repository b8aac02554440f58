-- binds: hash
select r.access_grant, g.client, r.idle_expires, r.expires, r.used
from refresh_token r
join access_grant g on g.access_grant = r.access_grant
where r.hash = $1
