-- binds: the columns in their order, and now; no row where there is such a client
insert into client (client, name, publisher, kind, role, status, scopes, grant_types, redirect_uris,
  launch_uri, origins, jwks, jwks_uri, algorithms, is_first_party, skips_consent,
  organization_rids, organization_ids, jurisdictions, id_prefix, created, changed)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13, $14, $15, $16, $17, $18, $19,
  $20, $21, $21)
on conflict do nothing
