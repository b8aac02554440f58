insert into idempotency_key
  (principal, key, request_hash, created, status, resource, version, last_updated, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (principal, key) do update set
  request_hash = excluded.request_hash, created = excluded.created, status = excluded.status,
  resource = excluded.resource, version = excluded.version,
  last_updated = excluded.last_updated, body = excluded.body
