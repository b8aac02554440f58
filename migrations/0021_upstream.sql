-- Who people are to providers of identities elsewhere (OpenID Connect), where applications send
-- them after a sign-out, and who publishes which endpoints.

-- A person at a provider: issuer and subject, never an address of mail.
create table upstream_identity (
  issuer text collate "C" not null,
  subject text collate "C" not null,
  account uuid not null references account on delete cascade,
  -- The role that the provider's claims gave last; null where the person linked it himself.
  role text collate "C",
  linked timestamptz not null,
  primary key (issuer, subject),
  unique (account, issuer)
);

-- Requests to a provider under way, by the SHA-256 of their state; of one use.
create table upstream_request (
  hash bytea primary key,
  provider text collate "C" not null,
  -- SHA-256 of what names the browser.
  visitor bytea not null,
  -- Who links; null for a sign-in.
  account uuid references account on delete cascade,
  -- Nonce, code verifier and authorization request, under the key file.
  sealed text collate "C" not null,
  created timestamptz not null,
  expires timestamptz not null
);
create index upstream_request_expires on upstream_request (expires);

-- Sign-ins by a provider: what was granted in them ends where the provider says so.
create table upstream_sign_in (
  upstream_sign_in bigint generated always as identity primary key,
  -- The login session, which a second factor replaces.
  session bytea not null unique,
  issuer text collate "C" not null,
  subject text collate "C" not null,
  -- Of the provider, under the key file; null where it gives none.
  refresh_token text collate "C",
  -- When the provider last stood by the person.
  checked timestamptz not null,
  -- Somebody asks until then.
  asked_until timestamptz,
  ended timestamptz,
  foreign key (issuer, subject) references upstream_identity on delete cascade
);
create index upstream_sign_in_identity on upstream_sign_in (issuer, subject);

alter table access_grant
  add column upstream_sign_in bigint references upstream_sign_in on delete cascade;
create index access_grant_upstream on access_grant (upstream_sign_in)
  where upstream_sign_in is not null;

-- Where an application may send a person who has signed out (OpenID Connect RP-Initiated Logout).
alter table client
  add column post_logout_redirect_uris text[] collate "C" not null default '{}';
