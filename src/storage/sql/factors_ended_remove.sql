-- binds: now. What has ended goes, and the recovery codes with the last factor.
with passkeys as (
  delete from passkey where ends <= $1 returning account
), passwords as (
  delete from totp where ends <= $1 returning account
), without as (
  select account from passkeys union all select account from passwords
), last as (
  select w.account from without w
  where not exists (
      select from passkey p where p.account = w.account and (p.ends is null or p.ends > $1)
    )
    and not exists (
      select from totp t
      where t.account = w.account and t.confirmed is not null and (t.ends is null or t.ends > $1)
    )
), codes as (
  delete from recovery_code where account in (select account from last)
), devices as (
  delete from known_device where account in (select account from last)
)
select account::text from without
