-- binds: client, hash of its registration token
update client set registration_token = $2 where client = $1
