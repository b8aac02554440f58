-- binds: client, hash of its registration token, of the next, what it is registered with, now; what
-- was granted before is void; no row where somebody else was first
update client set registration_token = $3, name = $4, scopes = $5, grant_types = $6,
  redirect_uris = $7, launch_uri = $8, origins = $9, jwks = $10::jsonb, jwks_uri = $11,
  is_dpop_bound = $12, requires_pushed = $13, epoch = epoch + 1, changed = $14
where client = $1 and registration_token = $2 and status = 'active'
