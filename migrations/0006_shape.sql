-- Units of measure as they are written, each part '' where it is missing. `dimension`: what a
-- unit of UCUM measures, in base units; a search value is put into every unit of its dimension.
create sequence unit_id as integer;
create table unit (
  unit integer primary key default nextval('unit_id'),
  system text collate "C" not null,
  code text collate "C" not null,
  text text collate "C" not null,
  dimension text collate "C"
);
create unique index unit_value on unit (code, text, system);
create index unit_text on unit (text);
create index unit_dimension on unit (dimension) where dimension is not null;

-- Ids of units, in the order given; new ones are inserted sorted, so that two writers never
-- wait for each other in a circle. Runs in a transaction of its own.
create function intern_units(systems text[], codes text[], texts text[], dimensions text[])
returns integer[] language plpgsql as $$
declare
  found integer[];
begin
  insert into unit (system, code, text, dimension)
  select distinct w.system, w.code, w.text, w.dimension
  from unnest(systems, codes, texts, dimensions) as w(system, code, text, dimension)
  where not exists (
    select from unit u where u.code = w.code and u.text = w.text and u.system = w.system
  )
  order by w.code, w.text, w.system
  on conflict (code, text, system) do nothing;
  select array_agg(u.unit order by w.n) into found
  from unnest(systems, codes, texts) with ordinality as w(system, code, text, n)
  join unit u on u.code = w.code and u.text = w.text and u.system = w.system;
  return found;
end
$$;

-- A quantity is one row, in the unit it is written in; 0 for none. Rows of before are made anew
-- by the reindex that the next start of a server runs.
truncate quantity_value, composite_value;
alter table quantity_value alter column unit type integer;

-- Generation of which every row is known to be; where it is below the newest one, a server
-- rebuilds index data before it serves.
alter table index_generation add column complete smallint not null default 1;

-- Rows of one transaction share their place in these orders, and are sorted by rid as they are
-- read. The order of the whole system is merged from those of the types.
drop index resource_commit;
drop index resource_type_commit;
create index resource_type_commit on resource (type, epoch, xid);
drop index resource_last_updated;
create index resource_last_updated on resource (type, last_updated);
drop index resource_history_commit;
drop index resource_history_type_commit;
create index resource_history_type_commit on resource_history (type, epoch, xid);

-- PostgreSQL compresses the columns of a row only where the row is beyond 2 KB, whatever
-- toast_tuple_target says. The padding, of which some 20 bytes are stored, takes every row
-- there.
alter table resource_json set (toast_tuple_target = 128);
alter table resource_json alter column resource set storage main;
alter table resource_json alter column resource set compression lz4;
alter table resource_json
  add column padding text compression lz4 generated always as (repeat(' ', 2016)) stored;
alter table resource_json alter column padding set storage main;

-- No row of `resource` is ever updated in place: its keys are indexed. Space kept free on its
-- pages is lost.
alter table resource set (fillfactor = 100);

-- Null stands for no stamps.
alter table resource alter column subject_rids drop not null, alter column subject_rids drop default,
  alter column labels drop not null, alter column labels drop default,
  alter column profiles drop not null, alter column profiles drop default;
alter table resource_history alter column subject_rids drop not null,
  alter column labels drop not null, alter column profiles drop not null;
