delete from idempotency_key where created < $1
