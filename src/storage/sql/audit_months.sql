select audit_event_months($1)
