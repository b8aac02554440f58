insert into known_device (hash, account, expires) values ($1, $2::text::uuid, $3)
on conflict (hash) do update set account = excluded.account, expires = excluded.expires
