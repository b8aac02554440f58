delete from idempotency_key
where ctid = any (array(
  select ctid from idempotency_key where created < $1 limit $2 for update skip locked
))
