insert into account
  (account, email, name, role, status, password, language, jurisdictions, created, changed)
values ($1::text::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $9)
on conflict (email) do nothing
