insert into consent (account, client, scopes, given) values ($1::text::uuid, $2, $3, $4)
on conflict (account, client) do update set scopes = excluded.scopes, given = excluded.given
