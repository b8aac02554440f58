select event from audit_event where node = $1 and seq = $2 limit 1
