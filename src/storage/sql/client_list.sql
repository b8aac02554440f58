-- binds: clients at most
select client, name, publisher, kind, role, status, scopes, grant_types, redirect_uris, launch_uri,
  origins, jwks::text as jwks, jwks_uri, algorithms, is_first_party, skips_consent,
  organization_rids, organization_ids, jurisdictions, id_prefix
from client
order by client
limit $1
