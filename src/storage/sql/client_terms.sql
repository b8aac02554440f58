-- binds: client, bound by DPoP, bound by certificate, bearer tokens, networks, pushed requests,
-- certificate name, now; what was granted before is void
update client set is_dpop_bound = $2, is_certificate_bound = $3, allows_bearer = $4, networks = $5,
  requires_pushed = $6, certificate_name = $7, epoch = epoch + 1, changed = $8
where client = $1
