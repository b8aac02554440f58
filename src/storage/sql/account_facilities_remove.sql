delete from account_facility where account = $1::text::uuid
