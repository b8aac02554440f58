-- The audit: what happened, in partitions of a month; what is known of the nodes that wrote it; the
-- seals that show that nothing was changed since. docs/decisions/0020-audit.md

create table audit_event (
  -- The node that wrote it, and its number there. Below 2^40 it is a place in the journal of the
  -- node, without gaps; others were stored with the write that they tell of.
  node text collate "C" not null,
  seq bigint not null,
  recorded timestamptz not null,
  epoch integer not null,
  xid bigint not null default (pg_current_xact_id()::text::bigint),
  -- All of the following is in `event`, too: it is what is searched by.
  kind text collate "C" not null,
  subtype text collate "C" not null,
  action text collate "C" not null,
  outcome text collate "C" not null,
  agent text collate "C" not null,
  person text collate "C",
  address text collate "C",
  patients text[] collate "C" not null,
  resources text[] collate "C" not null,
  -- Canonical JSON; src/audit/event.rs.
  event text not null,
  -- SHA-256 of node, seq and event.
  hash bytea not null,
  primary key (node, seq, recorded)
) partition by range (recorded);

create index audit_event_resources on audit_event using gin (resources);
create index audit_event_agent on audit_event (agent, recorded);
create index audit_event_time on audit_event using brin (recorded, xid)
  with (pages_per_range = 16);

-- For what no month is there for; is empty unless a clock is wrong.
create table audit_event_other partition of audit_event default;

-- A run of a node, with the key that its seals are verified by.
create table audit_node (
  node text collate "C" primary key,
  name text not null,
  -- Ed25519.
  public_key bytea not null,
  started timestamptz not null
);

create table audit_seal (
  node text collate "C" not null,
  -- From 1 without gaps.
  n bigint not null,
  -- The root of the seal before; empty for the first.
  before bytea not null,
  epoch integer not null,
  -- Every transaction below it had ended: what they stored of this node and no earlier seal has is
  -- in this one.
  horizon bigint not null,
  -- A number of 8 bytes and a hash of 32 for each event, in order.
  leaves bytea not null,
  -- Numbers of events that the node had stored and did not find.
  missing bigint[] not null,
  -- Of a Merkle tree over the leaves, with all of the above.
  root bytea not null,
  sealed timestamptz not null,
  signature bytea not null,
  primary key (node, n)
);

-- Makes the partitions of this month and of those after it; returns how many were missing. The role
-- that serves calls it, and owns none of them.
create function audit_event_months(months integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  month timestamptz;
  name text;
  made integer := 0;
begin
  if months not between 1 and 24 then
    raise exception 'from 1 to 24 months';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('audit_event_months', 0));
  for ahead in -1 .. months loop
    month := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead))
      at time zone 'UTC';
    name := 'audit_event_' || to_char(month at time zone 'UTC', 'YYYYMM');
    continue when to_regclass('public.' || name) is not null;
    execute format('create table public.%I (like public.audit_event including defaults
      including constraints)', name);
    -- Rights of tables to come are those of tables that are changed.
    if session_user <> current_user then
      execute format('revoke all on public.%I from %I', name, session_user);
      execute format('grant insert, select on public.%I to %I', name, session_user);
    end if;
    execute format('alter table public.audit_event attach partition public.%I
      for values from (%L) to (%L)', name, month,
      (month at time zone 'UTC' + interval '1 month') at time zone 'UTC');
    made := made + 1;
  end loop;
  return made;
end
$$;
revoke execute on function audit_event_months(integer) from public;

-- Takes the months before this day out of the audit; they stay as tables of their own, to be
-- archived and dropped. The owner calls it, once what is older may go. Months that are not over
-- for seven years stay.
create function audit_event_detach(before date) returns setof text
language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  partition record;
begin
  if before > (now() - interval '7 years')::date then
    raise exception 'the audit is kept for seven years';
  end if;
  for partition in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.audit_event'::regclass and c.relname ~ '^audit_event_[0-9]{6}$'
      and to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= before
    order by c.relname
  loop
    execute format('alter table public.audit_event detach partition public.%I', partition.relname);
    return next partition.relname;
  end loop;
end
$$;

-- What begins with audit_ is only ever added to.
create or replace function application_privileges(relation name, kind "char") returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select case
    when kind = 'S' then 'usage'
    when kind in ('v', 'm') then 'select'
    when relation in ('_sqlx_migrations', 'store_epoch') then 'select'
    when relation like 'audit\_%' then 'insert, select'
    when relation in (
      'resource_type', 'parameter', 'body_dictionary', 'server_key', 'resource_history', 'token',
      'unit', 'coded_text', 'token_text'
    ) then 'insert, select'
    else 'delete, insert, select, update'
  end
$$;

select audit_event_months(3);
