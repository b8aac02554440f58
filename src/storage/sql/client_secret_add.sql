-- binds: hash, client, now, when the others end; those with an earlier end keep it
with others as (
  update client_secret set expires = $4
  where client = $2 and (expires is null or expires > $4)
)
insert into client_secret (hash, client, created) values ($1, $2, $3)
