-- binds: account, email, name, role, language, issuer, subject, now
with made as (
  insert into account (account, email, name, role, status, language, created, changed)
  select $1::text::uuid, $2, $3, $4, 'active', $5, $8, $8
  where not exists (select from upstream_identity where issuer = $6 and subject = $7)
  on conflict (email) do nothing
  returning account, role
)
insert into upstream_identity (issuer, subject, account, role, linked)
select $6, $7, account, role, $8 from made
