-- binds: account, secret as it was sealed, secret as it is sealed now, by which key
update totp set secret = $3, sealed_by = $4 where account = $1::text::uuid and secret = $2
