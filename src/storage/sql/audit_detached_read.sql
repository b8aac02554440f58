select first, last, events from audit_detached where node = $1
