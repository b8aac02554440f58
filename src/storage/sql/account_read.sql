select a.account::text as account, a.email, a.name, a.role, a.status, a.password, a.epoch,
  a.language, a.jurisdictions, a.created, p.rid, p.type, p.id,
  array(select f.rid from account_facility f where f.account = a.account order by f.place) as rids,
  array(select f.id from account_facility f where f.account = a.account order by f.place) as ids,
  exists (
    select from totp t where t.account = a.account and t.confirmed is not null
  ) as has_totp,
  exists (select from passkey k where k.account = a.account) as has_passkey,
  coalesce(q.rids, '{}') as proxied_rids, coalesce(q.ids, '{}') as proxied_ids
from account a left join account_person p on p.account = a.account
-- As bearer_read has them.
left join lateral (
  select array_agg(f.rid order by f.rid) as rids, array_agg(f.id order by f.rid) as ids
  from proxied_patients(p.rid, now()) as f
) q on p.rid is not null
where
