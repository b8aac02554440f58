-- binds: hash
select k.access_grant, g.client, k.redirect_uri, k.code_challenge, k.nonce, k.dpop_jkt,
  k.expires, k.redeemed
from authorization_code k
join access_grant g on g.access_grant = k.access_grant
where k.hash = $1
