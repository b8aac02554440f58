-- What is sealed of an event, and under which key; what was taken out of the audit; how often
-- callers came to each node. docs/decisions/0027-audit-details.md

-- A key of a month, under which the details of its events are sealed; itself sealed by the key
-- file of the nodes. Several where nodes made one at the same moment, or a key file was lost.
create table detail_key (
  id integer generated always as identity primary key,
  -- Year and month: 202611.
  month integer not null,
  sealed text not null,
  made timestamptz not null default now()
);

-- What a month that was detached held of a node: below 2^40 its places in the journal, above them
-- those of writes, as in audit_event.seq.
create table audit_detached (
  partition text not null,
  node text collate "C" not null,
  first bigint not null,
  last bigint not null,
  events bigint not null,
  -- SHA-256 of number and hash of each, in order.
  digest bytea not null,
  detached timestamptz not null default now(),
  primary key (partition, node, first)
);

-- As before, and says of each node what goes.
create or replace function audit_event_detach(before date) returns setof text
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
    execute format('lock table public.%I in share mode', partition.relname);
    -- Of the same month a second time, after it was attached to be looked at.
    delete from public.audit_detached d where d.partition = partition.relname;
    execute format('insert into public.audit_detached (partition, node, first, last, events, digest)
      select %L, node, min(seq), max(seq), count(*),
        sha256(string_agg(int8send(seq) || hash, %L::bytea order by seq))
      from public.%I group by node, seq >> 40 = 0', partition.relname, '', partition.relname);
    execute format('alter table public.audit_event detach partition public.%I', partition.relname);
    return next partition.relname;
  end loop;
end
$$;

-- What callers spent at a node so far, for the other nodes to count: rates are of all together.
create unlogged table rate_spent (
  node text collate "C" not null,
  caller text collate "C" not null,
  total bigint not null,
  at timestamptz not null,
  primary key (node, caller)
);
