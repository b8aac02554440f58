select count(*) from recovery_code where account = $1::text::uuid and used is null
