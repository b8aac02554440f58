-- binds: clients at most
select client, name, publisher, kind, role, status, scopes, grant_types, redirect_uris, launch_uri,
  origins, jwks::text as jwks, jwks_uri, algorithms, is_first_party, skips_consent,
  organization_rids, organization_ids, jurisdictions, id_prefix, is_dpop_bound,
  is_certificate_bound, allows_bearer, networks, requires_pushed, certificate_name
from client
order by client
limit $1
