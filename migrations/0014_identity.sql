-- Who may sign in, with which clients, and what was granted to whom. None of it is FHIR:
-- accounts and clients are linked to resources, by their surrogate keys, which never change.

-- People.
create table account (
  account uuid primary key,
  -- Lower case, in Unicode's form NFC.
  email text collate "C" not null unique,
  name text not null,
  -- patient, doctor, hospital_staff, admin, registrar
  role text collate "C" not null,
  -- unverified, active, disabled
  status text collate "C" not null,
  -- PHC string, or $2a$, $2b$, $2y$ of an older system; null where there is none.
  password text collate "C",
  -- Raised by everything that ends what was granted: a new password, a disabled account.
  epoch integer not null default 1,
  language text collate "C" not null default 'en',
  jurisdictions text[] collate "C" not null default '{}',
  created timestamptz not null,
  changed timestamptz not null
);

-- The resource that an account is (fhirUser): one.
create table account_person (
  account uuid primary key references account on delete cascade,
  rid bigint not null unique,
  type smallint not null,
  id text collate "C" not null,
  linked timestamptz not null
);

-- Facilities that an account works for, the one that owns what it writes first.
create table account_facility (
  account uuid not null references account on delete cascade,
  place smallint not null,
  rid bigint not null,
  id text collate "C" not null,
  primary key (account, place)
);
create index account_facility_rid on account_facility (rid);

-- Applications and systems (RFC 7591 names what they are registered with).
create table client (
  client text collate "C" primary key,
  name text not null,
  publisher text,
  -- public, confidential-symmetric, confidential-asymmetric
  kind text collate "C" not null,
  -- Of a backend service: registry, ehr_system, admin; null for applications of people.
  role text collate "C",
  -- active, disabled
  status text collate "C" not null,
  epoch integer not null default 1,
  -- What may be granted at most, apart by spaces.
  scopes text collate "C" not null,
  grant_types text[] collate "C" not null,
  redirect_uris text[] collate "C" not null default '{}',
  launch_uri text collate "C",
  -- Web origins that may call the token endpoint and the FHIR base.
  origins text[] collate "C" not null default '{}',
  jwks jsonb,
  jwks_uri text collate "C",
  -- Algorithms of its assertions, such as ES384.
  algorithms text[] collate "C" not null default '{RS384,ES384}',
  is_first_party boolean not null default false,
  skips_consent boolean not null default false,
  -- The organizations of a backend service; the first owns what it writes.
  organization_rids bigint[] not null default '{}',
  organization_ids text[] collate "C" not null default '{}',
  jurisdictions text[] collate "C" not null default '{}',
  id_prefix text collate "C",
  created timestamptz not null,
  changed timestamptz not null
);

-- Secrets of confidential-symmetric clients; two live ones let one be changed without a gap.
create table client_secret (
  -- SHA-256 of 256 random bits.
  hash bytea primary key,
  client text collate "C" not null references client on delete cascade,
  created timestamptz not null,
  expires timestamptz
);
create index client_secret_client on client_secret (client);

-- What a client was granted, by an account or by itself. Each token belongs to one.
create sequence access_grant_id;
create table access_grant (
  access_grant bigint primary key default nextval('access_grant_id'),
  client text collate "C" not null references client on delete cascade,
  -- Null for a backend service.
  account uuid references account on delete cascade,
  -- Login session; online access ends with it.
  session bytea,
  scopes text collate "C" not null,
  -- Launch context: patient, encounter, fhirContext, intent, need_patient_banner, ...
  launch jsonb not null default '{}',
  patient_rid bigint,
  -- amr and auth_time of the login.
  methods text[] collate "C" not null default '{}',
  signed_in timestamptz,
  -- Of account and client when it was granted: an older one is void.
  account_epoch integer not null default 0,
  client_epoch integer not null,
  created timestamptz not null,
  expires timestamptz not null,
  revoked timestamptz
);
create index access_grant_account on access_grant (account, client) where account is not null;
create index access_grant_expires on access_grant (expires);

-- Authorization codes: one use, about a minute (RFC 6749, 4.1.2; RFC 7636).
create table authorization_code (
  -- SHA-256 of the code.
  hash bytea primary key,
  access_grant bigint not null references access_grant on delete cascade,
  redirect_uri text collate "C" not null,
  code_challenge text collate "C" not null,
  -- For the id_token.
  nonce text,
  created timestamptz not null,
  expires timestamptz not null,
  redeemed timestamptz
);
create index authorization_code_expires on authorization_code (expires);

-- Sign-ins of people in a browser.
create table login_session (
  -- SHA-256 of the cookie's 256 random bits.
  hash bytea primary key,
  account uuid not null references account on delete cascade,
  account_epoch integer not null,
  methods text[] collate "C" not null,
  user_agent text,
  created timestamptz not null,
  seen timestamptz not null,
  expires timestamptz not null
);
create index login_session_account on login_session (account);
create index login_session_expires on login_session (expires);
