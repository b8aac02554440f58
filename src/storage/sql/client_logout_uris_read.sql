-- binds: client
select unnest(post_logout_redirect_uris) from client where client = $1 and status = 'active'
