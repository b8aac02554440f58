select secret, sealed_by, confirmed, last_step, ends from totp where account = $1::text::uuid
