-- How far a reindex came; no row where none is under way.
create table reindex (
  generation smallint not null,
  -- Every resource up to here is done.
  rid bigint not null,
  started timestamptz not null,
  only_row boolean primary key default true check (only_row)
);

-- The newest generation of index data that any server ever wrote: an older server must not
-- start on it.
create table index_generation (
  generation smallint not null,
  only_row boolean primary key default true check (only_row)
);
insert into index_generation (generation) values (1);
