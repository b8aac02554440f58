-- Passkeys (WebAuthn level 2), what second factors are sealed by, and the removal of factors.

create table passkey (
  -- The credential id, which the authenticator has chosen.
  id bytea primary key check (length(id) between 1 and 1023),
  account uuid not null references account on delete cascade,
  -- What its owner calls it.
  name text not null,
  -- A COSE key and its algorithm: public, worth nothing to who has a copy.
  public_key bytea not null,
  algorithm integer not null,
  -- Of the last signature; 0 where the authenticator does not count.
  counter bigint not null,
  transports text[] collate "C" not null default '{}',
  created timestamptz not null,
  used timestamptz,
  -- From then on it is no factor any more.
  ends timestamptz
);
create index passkey_account on passkey (account);
create index passkey_ends on passkey (ends) where ends is not null;

-- Challenges of ceremonies that have begun, each for one answer within five minutes.
create table passkey_challenge (
  -- SHA-256 of the challenge.
  hash bytea primary key,
  -- register, sign-in, factor, removal
  purpose text collate "C" not null,
  -- Null where whoever has a passkey may answer.
  account uuid references account on delete cascade,
  -- SHA-256 of what forms of this browser and session are bound to.
  browser bytea not null,
  -- What the answer is verified with.
  state text not null,
  expires timestamptz not null
);
create index passkey_challenge_expires on passkey_challenge (expires);

-- Secrets of one-time passwords are sealed under a key of the key file, which is named here; null
-- for those that are sealed under server_key still.
alter table totp add column sealed_by text collate "C";
alter table totp add column ends timestamptz;
create index totp_ends on totp (ends) where ends is not null;
