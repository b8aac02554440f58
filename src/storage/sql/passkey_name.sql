update passkey set name = $3 where id = $1 and account = $2::text::uuid
