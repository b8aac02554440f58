-- binds: id, account, name, public key, algorithm, counter, transports, now, passkeys at most
insert into passkey (id, account, name, public_key, algorithm, counter, transports, created)
select $1, $2::text::uuid, $3, $4, $5, $6, $7, $8
where (select count(*) from passkey where account = $2::text::uuid) < $9
on conflict (id) do nothing
