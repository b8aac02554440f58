insert into passkey_challenge (hash, purpose, account, browser, state, expires)
values ($1, $2, $3::text::uuid, $4, $5, $6)
