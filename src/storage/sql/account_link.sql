insert into account_person (account, rid, type, id, linked)
values ($1::text::uuid, $2, $3, $4, $5)
on conflict do nothing
