update recovery_code set used = $3
where account = $1::text::uuid and hash = $2 and used is null
