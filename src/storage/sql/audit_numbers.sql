select seq from audit_event where node = $1 and seq = any($2)
