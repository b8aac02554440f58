-- What tokens are signed with, and what keeps them from being used twice.

-- Keys of the authorization server. A private key is sealed under the key file of the nodes, which
-- is not in the database.
create table signing_key (
  kid text collate "C" primary key,
  -- access-token, id-token; one key never has two.
  purpose text collate "C" not null,
  -- ES256, RS256
  algorithm text collate "C" not null,
  -- next (published, not used), active (signs), retiring (verifies), removed
  state text collate "C" not null,
  public_jwk text not null,
  -- Null once it is removed.
  sealed text collate "C",
  created timestamptz not null,
  activated timestamptz,
  retired timestamptz
);
create unique index signing_key_active on signing_key (purpose) where state = 'active';
create unique index signing_key_next on signing_key (purpose) where state = 'next';

-- Assertions that clients have signed in with, each once (RFC 7523, 3, number 7).
create table assertion_jti (
  client text collate "C" not null references client on delete cascade,
  -- SHA-256 of the jti.
  jti bytea not null,
  expires timestamptz not null,
  primary key (client, jti)
);
create index assertion_jti_expires on assertion_jti (expires);

-- Refresh tokens. A grant has one family of them: each use spends one and makes the next.
create table refresh_token (
  -- SHA-256 of 256 random bits.
  hash bytea primary key,
  access_grant bigint not null references access_grant on delete cascade,
  created timestamptz not null,
  -- Where it is not used by then it is void.
  idle_expires timestamptz not null,
  -- Of the family; use does not put it off.
  expires timestamptz not null,
  used timestamptz
);
create index refresh_token_grant on refresh_token (access_grant);

-- Scopes that are too long to stand in a token, which names them by their SHA-256 then.
create table scope_set (
  hash bytea primary key,
  scopes text collate "C" not null,
  used timestamptz not null
);

-- Patients for whom a person acts, as the relations of the record have it at that time. Nobody acts
-- for anybody where these relations are not kept.
create function proxied_patients(person bigint, at timestamptz)
returns table (rid bigint, id text)
language plpgsql stable as $$
begin
  if to_regclass('public.proxy_link') is null then
    return;
  end if;
  return query
    select distinct r.rid, r.id
    from public.proxy_link l
    join public.resource r on r.rid = l.patient
    where l.person = proxied_patients.person and not r.deleted
      and l.valid_from <= at and at < l.valid_to
    order by r.rid
    limit 100;
end
$$;
