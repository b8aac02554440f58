-- binds: grant, thumbprints of key and certificate; what is bound stays so
update access_grant set jkt = coalesce(jkt, $2), x5t = coalesce(x5t, $3) where access_grant = $1
