insert into one_time_code (hash, purpose, account, created, expires)
values ($1, $2, $3::text::uuid, $4, $5)
