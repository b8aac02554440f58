-- binds: hash, now; no row where somebody else was first
update authorization_code set redeemed = $2
where hash = $1 and redeemed is null and expires > $2
