insert into login_session
  (hash, account, account_epoch, methods, user_agent, created, seen, expires)
values ($1, $2::text::uuid, $3, $4, $5, $6, $6, $7)
