select exists (
  select from known_device d join account a on a.account = d.account
  where d.hash = $1 and a.email = $2 and d.expires > $3
)
