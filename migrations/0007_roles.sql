-- Two roles: the owner, which runs migrations, and the application, which serves.
-- docs/decisions/0006-database-roles.md

-- Cleaning the pending list asks for ownership of the index.
create function flush_key_index() returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
as $$ select gin_clean_pending_list('public.resource_keys'::regclass) $$;
revoke execute on function flush_key_index() from public;

-- What the role that serves may do with a table. What is only ever added to is neither changed
-- nor deleted; a table that is not named here is served.
create function application_privileges(relation name, kind "char") returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select case
    when kind = 'S' then 'usage'
    when kind in ('v', 'm') then 'select'
    when relation in ('_sqlx_migrations', 'store_epoch') then 'select'
    when relation in (
      'resource_type', 'parameter', 'body_dictionary', 'server_key', 'resource_history', 'token',
      'unit'
    ) then 'insert, select'
    else 'delete, insert, select, update'
  end
$$;

-- Gives the role that serves exactly these privileges on what the owner owns. The owner calls
-- it at each start; where nothing differs nothing is written.
create function grant_application(application text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  difference record;
begin
  perform pg_advisory_xact_lock(hashtextextended('grant_application', 0));
  if not has_schema_privilege(application, 'public', 'usage') then
    execute format('grant usage on schema public to %I', application);
  end if;
  for difference in
    select c.oid::regclass as relation, c.relkind = 'S' as is_sequence,
      public.application_privileges(c.relname, c.relkind) as wanted
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
      and c.relowner = (select oid from pg_roles where rolname = current_user)
      and public.application_privileges(c.relname, c.relkind) is distinct from (
        select string_agg(distinct lower(a.privilege_type), ', ' order by lower(a.privilege_type))
        from aclexplode(c.relacl) a
        where a.grantee = (select oid from pg_roles where rolname = application)
      )
    order by c.oid
  loop
    execute format('revoke all on %s %s from %I',
      case when difference.is_sequence then 'sequence' else 'table' end,
      difference.relation, application);
    execute format('grant %s on %s %s to %I', difference.wanted,
      case when difference.is_sequence then 'sequence' else 'table' end,
      difference.relation, application);
  end loop;
  for difference in
    select p.oid::regprocedure as routine
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'w', 'a')
      and p.proowner = (select oid from pg_roles where rolname = current_user)
      and p.proname not in ('grant_application', 'application_privileges')
      and not has_function_privilege(application, p.oid, 'execute')
    order by p.oid
  loop
    execute format('grant execute on function %s to %I', difference.routine, application);
  end loop;
  -- For what is made between two starts.
  if not exists (
    select from pg_default_acl d, aclexplode(d.defaclacl) a
    where d.defaclrole = (select oid from pg_roles where rolname = current_user)
      and d.defaclnamespace = 'public'::regnamespace
      and a.grantee = (select oid from pg_roles where rolname = application)
  ) then
    execute format('alter default privileges in schema public
      grant select, insert, update, delete on tables to %I', application);
    execute format('alter default privileges in schema public
      grant usage on sequences to %I', application);
    execute format('alter default privileges in schema public
      grant execute on functions to %I', application);
  end if;
end
$$;
revoke execute on function grant_application(text) from public;
