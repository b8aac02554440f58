-- binds: client, status, now; what was granted before is void
update client set status = $2, epoch = epoch + 1, changed = $3 where client = $1 and status <> $2
