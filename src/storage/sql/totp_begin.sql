insert into totp (account, secret, sealed_by, created) values ($1::text::uuid, $2, $3, $4)
on conflict (account) do update set
  secret = excluded.secret, sealed_by = excluded.sealed_by, created = excluded.created,
  last_step = 0
where totp.confirmed is null
