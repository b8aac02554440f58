-- binds: grant, kid, now, hash of the scopes, organizations at most
with recursive g as (
  select g.client, g.account, g.launch, g.patient_rid, g.methods, g.signed_in,
    case when g.account is null then c.role else a.role end as role,
    case when g.account is null then c.jurisdictions else a.jurisdictions end as jurisdictions,
    c.organization_rids, c.organization_ids, c.id_prefix, c.networks,
    c.is_dpop_bound or c.is_certificate_bound
      or (c.role is not distinct from 'registry' and not c.allows_bearer) as wants_binding
  from access_grant g
  join client c on c.client = g.client
  left join account a on a.account = g.account
  where g.access_grant = $1 and g.revoked is null and g.expires > $3
    and c.status = 'active' and c.epoch = g.client_epoch
    and (g.account is null or (a.status = 'active' and a.epoch = g.account_epoch))
    and exists (
      select from signing_key k
      where k.kid = $2 and k.purpose = 'access-token' and k.state in ('active', 'retiring')
    )
),
root (rid, id, place) as (
  select f.rid, f.id, f.place::bigint
  from g join account_facility f on f.account = g.account
  union all
  select o.rid, o.id, o.place
  from g
  cross join unnest(g.organization_rids, g.organization_ids) with ordinality as o (rid, id, place)
  where g.account is null
),
part (rid) as (
  select rid from root
  union
  select r.rid
  from part
  join resource r on r.keys && array[part.rid | (
    select parameter::bigint << 48 from parameter
    where url = 'http://hl7.org/fhir/SearchParameter/Organization-partof'
  )]
  where not r.deleted
),
organization as (
  select p.rid, coalesce(root.id, r.id) as id, root.place
  from unnest(at_most(array(select rid from part limit $5 + 1), $5)) as p (rid)
  left join root on root.rid = p.rid
  left join resource r on r.rid = p.rid
)
select g.client, g.account::text as account, g.launch::text as launch, g.patient_rid, g.methods,
  g.signed_in, g.role, g.jurisdictions, g.id_prefix, g.networks, g.wants_binding,
  p.rid as person_rid, p.type as person_type, p.id as person_id,
  array(select rid from organization where id is not null order by place, rid) as organization_rids,
  array(select id from organization where id is not null order by place, rid) as organization_ids,
  coalesce(q.rids, '{}') as proxied_rids, coalesce(q.ids, '{}') as proxied_ids,
  (select scopes from scope_set where hash = $4) as scopes
from g
left join account_person p on p.account = g.account
left join lateral (
  select array_agg(f.rid order by f.rid) as rids, array_agg(f.id order by f.rid) as ids
  from proxied_patients(p.rid, $3) as f
) q on p.rid is not null
