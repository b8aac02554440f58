select id, month, sealed from audit_key order by id
