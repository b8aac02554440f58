select audit_event_detach($1)
