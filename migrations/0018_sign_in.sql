-- How people prove who they are, and what they are in the middle of. Codes and handles are stored
-- by their SHA-256.

-- Time-based one-time passwords (RFC 6238), one secret an account.
create table totp (
  account uuid primary key references account on delete cascade,
  -- AES-256-GCM under a key of the server, bound to the account.
  secret bytea not null,
  -- Null until a first code has proved that the secret arrived.
  confirmed timestamptz,
  -- The newest step that a code was taken of: an older one is a replay.
  last_step bigint not null default 0,
  created timestamptz not null
);

-- Single-use codes for who has lost the second factor.
create table recovery_code (
  account uuid not null references account on delete cascade,
  hash bytea not null,
  used timestamptz,
  primary key (account, hash)
);

-- Codes that are sent or shown once: verify, reset, bootstrap.
create table one_time_code (
  hash bytea primary key,
  purpose text collate "C" not null,
  -- Null for the first administrator, who has none yet.
  account uuid references account on delete cascade,
  created timestamptz not null,
  expires timestamptz not null
);
create index one_time_code_account on one_time_code (account);
create index one_time_code_expires on one_time_code (expires);

-- What a facility hands to a person, so that his account becomes the Patient or Practitioner.
create table claim_code (
  -- The first characters of the code, which find it; the hash is of the whole.
  selector text collate "C" primary key,
  hash bytea not null,
  rid bigint not null,
  type smallint not null,
  id text collate "C" not null,
  tries smallint not null default 0,
  created timestamptz not null,
  expires timestamptz not null
);
create index claim_code_expires on claim_code (expires);

-- Attempts by what they are counted for: an account, an address, a network, everybody.
create table throttle (
  -- SHA-256 of the kind and the name.
  key bytea primary key,
  attempts integer not null,
  since timestamptz not null,
  blocked_until timestamptz
);
create index throttle_since on throttle (since);

-- Authorization requests while the person signs in, picks a patient and consents.
create table authorization_request (
  hash bytea primary key,
  client text collate "C" not null references client on delete cascade,
  request jsonb not null,
  created timestamptz not null,
  expires timestamptz not null
);
create index authorization_request_expires on authorization_request (expires);

-- Contexts of an EHR launch (SMART App Launch 2.2, EHR launch), of one use.
create table launch_handle (
  hash bytea primary key,
  client text collate "C" not null references client on delete cascade,
  -- Who launched; null where a system did for whoever signs in.
  account uuid references account on delete cascade,
  context jsonb not null,
  created timestamptz not null,
  expires timestamptz not null
);
create index launch_handle_expires on launch_handle (expires);

-- What an account last allowed a client, for the next time it is asked.
create table consent (
  account uuid not null references account on delete cascade,
  client text collate "C" not null references client on delete cascade,
  scopes text collate "C" not null,
  given timestamptz not null,
  primary key (account, client)
);

-- As in 0014, by the account and by what has come to its end.
create index access_grant_session on access_grant (session) where session is not null;

-- Browsers that have shown the second factor of an account: their attempts are counted apart, so
-- that nobody keeps a person out by failing in his name.
create table known_device (
  -- SHA-256 of the cookie's 256 random bits.
  hash bytea primary key,
  account uuid not null references account on delete cascade,
  expires timestamptz not null
);
create index known_device_account on known_device (account);
create index known_device_expires on known_device (expires);
