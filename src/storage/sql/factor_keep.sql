-- binds: account, id of a passkey or null for one-time passwords, now
with passkeys as (
  update passkey set ends = null
  where account = $1::text::uuid and id = $2 and ends > $3
  returning 1
), passwords as (
  update totp set ends = null
  where account = $1::text::uuid and $2 is null and ends > $3
  returning 1
)
select (select count(*) from passkeys) + (select count(*) from passwords)
