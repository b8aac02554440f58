-- What was changed or deleted since the first page of a result, for its further pages. Creates
-- are not in it and pay nothing for it.
create index resource_changed on resource (type, epoch, xid) where version > 1;

-- Words of narratives and, where a setting asks for it, of whole resources: no row for what has
-- none.
create table text_value (
  rid bigint not null,
  is_content boolean not null,
  words tsvector not null
);
create index text_value_narrative on text_value using gin (words)
  with (fastupdate = on, gin_pending_list_limit = 256) where not is_content;
create index text_value_content on text_value using gin (words)
  with (fastupdate = on, gin_pending_list_limit = 256) where is_content;
create index text_value_rid on text_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);

-- Whether every row's index data has the words of whole resources; where a server is set
-- otherwise it rebuilds index data before it serves.
alter table index_generation add column has_content boolean not null default false;
