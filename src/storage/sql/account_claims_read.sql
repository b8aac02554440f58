-- binds: account
select name, email from account where account = $1::uuid
