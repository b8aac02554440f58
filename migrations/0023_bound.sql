-- What clients and their tokens are bound to: keys, certificates, networks.
-- docs/decisions/0026-bound-tokens.md

alter table client
  -- Its tokens are bound to a key of proofs (RFC 9449), to its certificate (RFC 8705).
  add column is_dpop_bound boolean not null default false,
  add column is_certificate_bound boolean not null default false,
  -- A registry whose tokens the operator lets be bound to nothing.
  add column allows_bearer boolean not null default false,
  -- Where its requests come from; empty for anywhere.
  add column networks text[] collate "C" not null default '{}',
  -- Its authorization requests are pushed (RFC 9126).
  add column requires_pushed boolean not null default false,
  -- Whom its certificate is for, of tls_client_auth: san_dns:ehr.example
  add column certificate_name text collate "C",
  -- SHA-256 of what a client that registered itself changes its registration by (RFC 7592).
  add column registration_token bytea;

-- Of public clients: refresh tokens are good with these alone.
alter table access_grant
  add column jkt text collate "C",
  add column x5t text collate "C";

-- The key that an authorization request has named (RFC 9449, 10).
alter table authorization_code add column dpop_jkt text collate "C";
