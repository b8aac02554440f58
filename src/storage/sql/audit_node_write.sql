insert into audit_node (node, name, public_key, started) values ($1, $2, $3, $4)
on conflict (node) do nothing
