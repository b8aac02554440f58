insert into audit_seal (node, n, before, epoch, horizon, leaves, missing, root, sealed, signature)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
