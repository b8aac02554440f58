-- binds: client, URIs
update client set post_logout_redirect_uris = $2 where client = $1
