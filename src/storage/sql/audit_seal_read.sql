select n, before, epoch, horizon, leaves, missing, root, sealed, signature
from audit_seal
where node = $1 and n > $2
order by n limit 1
