select a.account::text as account, a.email, a.name, a.role, a.status, a.password, a.epoch,
  a.language, a.jurisdictions, a.created, p.rid, p.type, p.id,
  array(select f.rid from account_facility f where f.account = a.account order by f.place) as rids,
  array(select f.id from account_facility f where f.account = a.account order by f.place) as ids,
  exists (
    select from totp t where t.account = a.account and t.confirmed is not null
  ) as has_totp,
  exists (select from passkey k where k.account = a.account) as has_passkey
from account a left join account_person p on p.account = a.account
where
