-- binds: the key that seals, the account after which to go on, accounts at most
select account::text as account, secret, sealed_by from totp
where sealed_by is distinct from $1 and account::text > $2
order by account::text
limit $3
