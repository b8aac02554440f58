select n, epoch, horizon, root from audit_seal where node = $1 order by n desc limit 1
