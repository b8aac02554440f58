-- binds: the columns in their order, and now; no row where there is such a client
insert into client (client, name, publisher, kind, role, status, scopes, grant_types, redirect_uris,
  launch_uri, origins, jwks, jwks_uri, algorithms, is_first_party, skips_consent,
  organization_rids, organization_ids, jurisdictions, id_prefix, created, changed,
  is_dpop_bound, is_certificate_bound, allows_bearer, networks, requires_pushed, certificate_name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13, $14, $15, $16, $17, $18, $19,
  $20, $27, $27, $21, $22, $23, $24, $25, $26)
on conflict do nothing
