insert into launch_handle (hash, client, account, context, created, expires)
values ($1, $2, $3::text::uuid, $4, $5, $6)
