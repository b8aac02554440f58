-- Current resources of every type, their versions, and the index rows that search reads.
-- docs/decisions/0001-storage-layout.md says why.

-- Surrogate keys: 48 bits, ascending, taken in blocks by each server process.
create sequence rid_block increment by 1 minvalue 1;

-- Names for SQL users; the server checks at start that they equal its own definitions.
create table resource_type (
  type smallint primary key,
  name text collate "C" not null unique
);

-- Packed keys name their search parameter by this id (below 2^15).
create table parameter (
  parameter smallint primary key,
  url text collate "C" not null unique,
  code text collate "C" not null
);

-- zstd dictionaries, trained on synthetic data only. A frame names its own; none is ever deleted.
create table body_dictionary (
  dictionary integer primary key,
  content bytea not null
);

-- Raised by a restore, so that feeds never mix commit orders of two histories.
create table store_epoch (
  epoch integer not null,
  only_row boolean primary key default true check (only_row)
);
insert into store_epoch (epoch) values (1);

-- One row for each resource that exists or existed. A deleted one keeps its stamps and loses
-- its index keys.
create table resource (
  rid bigint primary key,
  last_updated timestamptz not null,
  -- Commit order: the transaction that wrote this version.
  xid xid8 not null default pg_current_xact_id(),
  -- The one patient whose compartment holds it; null where there is none or several.
  patient bigint,
  -- Bounds of the type's main date, half open.
  date_low timestamptz,
  date_high timestamptz,
  -- Packed key of the first main coding; not among keys.
  lead bigint,
  -- Access stamps: surrogate ids, set by the server.
  owner bigint,
  author bigint,
  version integer not null,
  epoch integer not null,
  type smallint not null,
  -- Of the index data; a reindex raises it.
  generation smallint not null,
  deleted boolean not null default false,
  id text collate "C" not null,
  -- Packed keys: parameter << 48 | rid of a target or id of a token.
  keys bigint[] not null,
  -- Parameters that have a value here, for :missing.
  present smallint[] not null,
  subject_rids bigint[] not null default '{}',
  labels bigint[] not null default '{}',
  profiles bigint[] not null default '{}',
  -- The exact JSON as served, zstd with a dictionary.
  body bytea not null
) with (
  fillfactor = 90,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05
);
create unique index resource_id on resource (id, type);
create index resource_last_updated on resource (type, last_updated, rid);
create index resource_commit on resource (epoch, xid, rid);
create index resource_type_commit on resource (type, epoch, xid, rid);
create index resource_patient on resource (patient, type, date_low, lead)
  where patient is not null;
create index resource_lead on resource (lead, date_low) where lead is not null;
create index resource_keys on resource using gin (keys)
  with (fastupdate = on, gin_pending_list_limit = 256);
alter table resource alter keys set statistics 500;
alter table resource alter body set storage external;

-- The same as JSONB, for SQL users and views; narrow rows stay cheap to reindex.
create table resource_json (
  rid bigint primary key,
  resource jsonb not null
);

-- Versions that are no longer current.
create table resource_history (
  rid bigint not null,
  last_updated timestamptz not null,
  xid xid8 not null,
  owner bigint,
  author bigint,
  version integer not null,
  epoch integer not null,
  type smallint not null,
  deleted boolean not null,
  id text collate "C" not null,
  subject_rids bigint[] not null,
  labels bigint[] not null,
  profiles bigint[] not null,
  body bytea not null,
  primary key (rid, version)
);
create index resource_history_commit on resource_history (epoch, xid, rid);
create index resource_history_type_commit on resource_history (type, epoch, xid, rid);
alter table resource_history alter body set storage external;

-- Targets of references that do not exist yet; a resource adopts its stub's rid.
create table reference_stub (
  id text collate "C" not null,
  type smallint not null,
  rid bigint not null,
  primary key (id, type)
);
create unique index reference_stub_rid on reference_stub (rid);

-- Distinct coded values. '' stands for no system.
create sequence token_id;
create table token (
  token bigint primary key default nextval('token_id'),
  system text collate "C" not null,
  code text collate "C" not null,
  display text
);
create unique index token_value on token (code, system);

-- Index rows. `rid` finds its way back for updates through BRIN: rids ascend with insertion.
create table identifier_value (
  rid bigint not null,
  parameter smallint not null,
  value text collate "C" not null,
  system text collate "C" not null
);
create index identifier_value_search on identifier_value (value, parameter, system, rid);
create index identifier_value_rid on identifier_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);

create table string_value (
  rid bigint not null,
  parameter smallint not null,
  normalised text collate "C" not null,
  raw text collate "C" not null
);
create index string_value_search on string_value (parameter, normalised, rid);
create index string_value_rid on string_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);

create table date_value (
  rid bigint not null,
  low timestamptz not null,
  high timestamptz not null,
  parameter smallint not null
);
create index date_value_search on date_value (parameter, low, high, rid);
create index date_value_rid on date_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);

-- Numbers and quantities. `unit`: token of (system, code); 0 for a row without a unit.
create table quantity_value (
  rid bigint not null,
  unit bigint not null,
  parameter smallint not null,
  low numeric not null,
  high numeric not null
);
create index quantity_value_search on quantity_value (parameter, unit, low, high, rid);
create index quantity_value_rid on quantity_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);

-- URIs, and references that are not to a resource of this server.
create table uri_value (
  rid bigint not null,
  parameter smallint not null,
  value text collate "C" not null
);
create index uri_value_search on uri_value (parameter, value, rid);
create index uri_value_rid on uri_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);

-- Both parts of one composite value. A part fills the columns of its type.
create table composite_value (
  rid bigint not null,
  -- Packed or plain token ids; rid of a reference target.
  first bigint,
  second bigint,
  low_at timestamptz,
  high_at timestamptz,
  parameter smallint not null,
  low numeric,
  high numeric,
  first_text text collate "C",
  second_text text collate "C"
);
create index composite_value_search on composite_value (parameter, first, second, low, rid);
create index composite_value_rid on composite_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);

-- Answers of POSTs that came with an Idempotency-Key, kept for 24 hours.
create table idempotency_key (
  principal text collate "C" not null,
  key text collate "C" not null,
  request_hash bytea not null,
  created timestamptz not null,
  status smallint not null,
  resource text collate "C",
  version bigint,
  last_updated timestamptz,
  body bytea not null,
  primary key (principal, key)
);
create index idempotency_key_created on idempotency_key (created);

-- Current resources as JSON for SQL users.
create view fhir_resource as
select t.name as resource_type, r.id, r.version, r.last_updated, j.resource
from resource r
join resource_type t using (type)
join resource_json j using (rid)
where not r.deleted;

-- Surrogate keys of reference targets, in the order given. A target that does not exist yet
-- gets a stub with the candidate rid; stubs and creates with a client's id take the same
-- advisory lock, so that one target never has two rids. Runs in a transaction of its own.
create function intern_references(types smallint[], ids text[], candidates bigint[])
returns bigint[] language plpgsql as $$
declare
  found bigint[];
  missing record;
begin
  select array_agg(coalesce(r.rid, s.rid) order by w.n) into found
  from unnest(types, ids) with ordinality as w(type, id, n)
  left join resource r on r.id = w.id and r.type = w.type
  left join reference_stub s on s.id = w.id and s.type = w.type;
  if array_position(found, null) is null then
    return found;
  end if;
  for missing in
    select w.n, w.type, w.id from unnest(types, ids) with ordinality as w(type, id, n)
    where found[w.n] is null
    order by reference_lock(w.type, w.id)
  loop
    perform pg_advisory_xact_lock(reference_lock(missing.type, missing.id));
    found[missing.n] := coalesce(
      (select r.rid from resource r where r.id = missing.id and r.type = missing.type),
      (select s.rid from reference_stub s where s.id = missing.id and s.type = missing.type));
    if found[missing.n] is null then
      insert into reference_stub (id, type, rid)
      values (missing.id, missing.type, candidates[missing.n]);
      found[missing.n] := candidates[missing.n];
    end if;
  end loop;
  return found;
end
$$;

-- The advisory lock of a resource that may not exist yet.
create function reference_lock(type smallint, id text) returns bigint
language sql immutable parallel safe
return hashtextextended(id, type);

-- Ids of coded values, in the order given; new ones are inserted sorted, so that two writers
-- never wait for each other in a circle. Runs in a transaction of its own.
create function intern_tokens(systems text[], codes text[], displays text[])
returns bigint[] language plpgsql as $$
declare
  found bigint[];
begin
  insert into token (system, code, display)
  select w.system, w.code, w.display
  from (
    select distinct on (u.code, u.system) u.system, u.code, u.display
    from unnest(systems, codes, displays) as u(system, code, display)
    order by u.code, u.system, u.display nulls last
  ) w
  where not exists (select from token t where t.code = w.code and t.system = w.system)
  order by w.code, w.system
  on conflict (code, system) do nothing;
  select array_agg(t.token order by w.n) into found
  from unnest(systems, codes) with ordinality as w(system, code, n)
  join token t on t.code = w.code and t.system = w.system;
  return found;
end
$$;
