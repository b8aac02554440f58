insert into audit_key (month, sealed) values ($1, $2)
