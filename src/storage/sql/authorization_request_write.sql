insert into authorization_request (hash, client, request, created, expires)
values ($1, $2, $3, $4, $5)
on conflict (hash) do update set request = excluded.request
