-- binds: grant, session
update access_grant g set upstream_sign_in = u.upstream_sign_in
from upstream_sign_in u where g.access_grant = $1 and u.session = $2
