select secret, confirmed, last_step from totp where account = $1::text::uuid
