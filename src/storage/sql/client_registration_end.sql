-- binds: client, hash of its registration token, now; its row stays, for the audit
update client set registration_token = null, status = 'disabled', epoch = epoch + 1, changed = $3
where client = $1 and registration_token = $2 and status = 'active'
