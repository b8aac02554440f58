update totp set last_step = $2, confirmed = coalesce(confirmed, $3)
where account = $1::text::uuid and last_step < $2
