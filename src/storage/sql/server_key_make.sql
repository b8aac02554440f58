-- binds: purpose; 244 random bits of the operating system
insert into server_key (purpose, key)
select $1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
where not exists (select from server_key where purpose = $1)
on conflict do nothing
