delete from account_person where account = $1::text::uuid
