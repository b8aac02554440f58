insert into totp (account, secret, created) values ($1::text::uuid, $2, $3)
on conflict (account) do update set
  secret = excluded.secret, created = excluded.created, last_step = 0
where totp.confirmed is null
