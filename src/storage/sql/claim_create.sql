insert into claim_code (selector, hash, rid, type, id, created, expires)
values ($1, $2, $3, $4, $5, $6, $7)
