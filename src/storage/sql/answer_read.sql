select request_hash, status, resource, version, last_updated, body
from idempotency_key
where principal = $1 and key = $2 and created >= $3
