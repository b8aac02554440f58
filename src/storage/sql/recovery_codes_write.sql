with gone as (delete from recovery_code where account = $1::text::uuid)
insert into recovery_code (account, hash) select $1::text::uuid, unnest($2::bytea[])
