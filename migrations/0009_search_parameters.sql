-- Search parameters that SearchParameter resources define, beside those of R4.
-- docs/decisions/0011-custom-search-parameters.md

-- Names the state of all of them: who changes one raises it, and so takes this row's lock. A
-- write that was prepared under another number is refused.
create table search_definitions (
  number bigint not null,
  only_row boolean primary key default true check (only_row)
);
insert into search_definitions (number) values (1);

create table custom_parameter (
  parameter smallint primary key references parameter check (parameter > 4096),
  -- Logical id of the SearchParameter.
  resource_id text collate "C" not null,
  state text not null check (state in ('building', 'ready', 'retired')),
  -- The SearchParameter that its rows are made by.
  definition text not null,
  types smallint[] not null,
  started timestamptz not null default now(),
  -- When its rows were all there.
  finished timestamptz,
  -- True where no write of before its state is under way any more.
  is_settled boolean not null default false,
  -- Every resource of its types up to here is covered.
  position bigint not null default 0,
  -- Resources of its types: looked at, with a value, and how many there are; that last one null
  -- where it is not known.
  seen bigint not null default 0,
  indexed bigint not null default 0,
  total bigint,
  -- The process that makes or removes its rows.
  holder text collate "C",
  leased_until timestamptz
);
create unique index custom_parameter_live on custom_parameter (resource_id)
  where state <> 'retired';

-- A definition that changes gets a number of its own under the same URL. No number is given
-- twice.
alter table parameter drop constraint parameter_url_key;

-- Fails as a lost race does: the write is prepared anew.
create function search_definitions_changed() returns bigint language plpgsql as $$
begin
  raise exception 'the search parameters changed' using errcode = 'serialization_failure';
end
$$;
