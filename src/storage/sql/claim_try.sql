update claim_code set tries = tries + 1
where selector = $1 and tries < 5 and expires > $2
returning hash, rid, type, id
