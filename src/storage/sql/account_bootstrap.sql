with allowed as (
  delete from one_time_code
  where hash = $1 and purpose = 'bootstrap' and expires > $2
    and not exists (select from account where role = 'admin')
  returning hash
)
insert into account
  (account, email, name, role, status, password, language, created, changed)
select $3::text::uuid, $4, $5, 'admin', 'active', $6, $7, $2, $2 from allowed
on conflict (email) do nothing
