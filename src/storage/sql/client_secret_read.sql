-- binds: client, now
select hash from client_secret where client = $1 and (expires is null or expires > $2)
