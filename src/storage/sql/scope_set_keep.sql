-- binds: hash, scopes, now
insert into scope_set (hash, scopes, used) values ($1, $2, $3)
on conflict (hash) do update set used = excluded.used
