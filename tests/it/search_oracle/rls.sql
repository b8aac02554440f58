-- AZ-16: who sees what, by row level security and from nothing of the server's. What the access
-- matrix says is put into `rls.rule` and `rls.listing`, who asks into `rls.principal`; a role that
-- policies hold for asks as him.

do $$
begin
  create role bhn_fhir_rls login nobypassrls;
exception when duplicate_object or unique_violation then null;
end
$$;

create schema rls;
grant usage on schema rls to public;

-- A role may do these acts to rows of the type that one rule is about; `reference` is the path to
-- what a rule V is about.
create table rls.rule (role text, kind smallint, acts text, code text, reference jsonpath);
-- A resource of the directory has one of the values of the element, or none of them.
create table rls.listing (kind smallint, element text, has boolean, value text);
-- Types that some are shown in part: what is listed or released.
create table rls.cut (kind smallint);
-- One row: who asks, and by which act.
create table rls.principal (
  role text, act text, me bigint, patients bigint[], organizations bigint[], jurisdictions text[]
);

create function rls.listed(kind smallint, rid bigint) returns boolean
language sql stable as $$
  select coalesce(
    bool_or(l.has) and bool_or(l.value = j.value) or not bool_or(l.has) and
      coalesce(bool_and(l.value <> j.value), true),
    false)
  from rls.listing l
  left join lateral (
    select r.resource ->> l.element as value from public.resource_json r where r.rid = listed.rid
  ) j on true
  where l.kind = listed.kind
$$;

-- One of the rules of the act holds. `is_row` where codes and references are known: of rows, and
-- not of versions.
create function rls.sees(
  act text, kind smallint, rid bigint, owner bigint, author bigint, subjects bigint[],
  is_row boolean, is_direct boolean, is_whole boolean default false
) returns boolean
language plpgsql stable security definer set search_path = public as $$
declare
  rule rls.rule;
  p rls.principal;
  is_seen boolean;
begin
  select * into p from rls.principal;
  for rule in select * from rls.rule u where u.role = p.role and u.kind = sees.kind
    and strpos(u.acts, sees.act) > 0
  loop
    is_seen := case rule.code
      when 'S' then sees.rid = p.me or sees.author = p.me
      when 'P' then sees.subjects && p.patients
      when 'C' then exists (
        select from care_link l where l.practitioner = p.me and l.patient = any(sees.subjects)
          and now() between l.valid_from and l.valid_to)
      when 'F' then sees.owner = any(p.organizations) or exists (
        select from facility_link l where l.organization = any(p.organizations)
          and l.patient = any(sees.subjects) and now() between l.valid_from and l.valid_to)
      when 'O' then sees.owner = any(p.organizations)
      when 'R' then not (is_whole and sees.kind in (select c.kind from rls.cut c)) and exists (
        select from release_link l
        where l.rid = sees.rid and l.jurisdiction = any(p.jurisdictions))
      when 'D' then is_row and not (is_whole and sees.kind in (select c.kind from rls.cut c)) and rls.listed(sees.kind, sees.rid)
      when 'K' then true
      when 'A' then true
      when 'V' then is_row and not is_direct and rls.refers(sees.rid, rule.reference)
      else false
    end;
    if is_seen then
      return true;
    end if;
  end loop;
  return false;
end
$$;

-- It refers to something by the path, and all of that is read by rules of its own.
create function rls.refers(rid bigint, path jsonpath) returns boolean
language sql stable security definer set search_path = public as $$
  select coalesce(bool_and(t.rid is not null and not t.deleted
    and rls.sees('r', t.type, t.rid, t.owner, t.author, t.subject_rids, true, true)), false)
  from resource_json j
  cross join lateral jsonb_path_query(j.resource, path) as named(reference)
  left join (resource t join resource_type k on k.type = t.type)
    on k.name || '/' || t.id = named.reference #>> '{}'
  where j.rid = refers.rid
$$;

-- Surrogate ids of what is not seen are known nevertheless: a resource that is seen names it.
insert into reference_stub (id, type, rid) select id, type, rid from resource
on conflict do nothing;

alter table resource enable row level security;
create policy rls on resource to bhn_fhir_rls using (
  rls.sees((select act from rls.principal), type, rid, owner, author, subject_rids,
    (select act from rls.principal) <> 'h', false));
alter table resource_history enable row level security;
create policy rls on resource_history to bhn_fhir_rls using (
  exists (select from resource r where r.rid = resource_history.rid)
  and rls.sees((select act from rls.principal), type, rid, owner, author, subject_rids, false, false));

create policy open on resource to bhn_fhir_application using (true) with check (true);
create policy open on resource_history to bhn_fhir_application using (true) with check (true);

-- Whatever else has rows of a resource is seen with it; what is contained with its container.
do $$
declare
  name text;
begin
  for name in
    select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'rid'
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and c.relname not in (
        'resource', 'resource_history', 'reference_stub', 'contained_resource')
  loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy rls on %I to bhn_fhir_rls using (exists (select from resource r
      where r.rid = case when %I.rid < 0 then (-%I.rid) >> 16 else %I.rid end))',
      name, name, name, name);
    execute format(
      'create policy open on %I to bhn_fhir_application using (true) with check (true)', name);
  end loop;
end
$$;
-- What is contained is seen with a container that is shown whole.
alter table contained_resource enable row level security;
create policy open on contained_resource to bhn_fhir_application using (true) with check (true);
create policy rls on contained_resource to bhn_fhir_rls using (
  exists (
    select from resource r where r.rid = (-contained_resource.rid) >> 16
      and rls.sees((select act from rls.principal), r.type, r.rid, r.owner, r.author,
        r.subject_rids, true, false, true)));
alter view contained_match set (security_invoker = true);
alter view fhir_resource set (security_invoker = true);
grant select on all tables in schema rls to public;
