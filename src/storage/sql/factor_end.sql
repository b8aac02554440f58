-- binds: account, id of a passkey or null for one-time passwords, from when it is none any more,
-- whether another factor has to stay. The account is locked by who asks.
with stays as (
  select not $4
    or exists (
      select from passkey k
      where k.account = $1::text::uuid and k.ends is null and k.id is distinct from $2
    )
    or exists (
      select from totp t
      where t.account = $1::text::uuid and t.confirmed is not null and t.ends is null
        and $2 is not null
    ) as is_met
), passkeys as (
  update passkey set ends = $3
  where account = $1::text::uuid and id = $2 and (select is_met from stays)
  returning 1
), passwords as (
  update totp set ends = $3
  where account = $1::text::uuid and $2 is null and confirmed is not null
    and (select is_met from stays)
  returning 1
)
select (select count(*) from passkeys) + (select count(*) from passwords)
