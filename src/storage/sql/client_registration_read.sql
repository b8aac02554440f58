-- binds: client, hash of its registration token; when it was registered
select created from client where client = $1 and registration_token = $2 and status = 'active'
