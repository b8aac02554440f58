select from account where account = $1::text::uuid for update
