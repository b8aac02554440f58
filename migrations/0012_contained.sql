-- What is indexed of contained resources, for `_contained`: a row for each, and none for a
-- resource that contains nothing. docs/decisions/0015-contained-resources.md
create table contained_resource (
  -- -(rid of the container << 16 | place in its list): below 0, so that it is no resource's. Rows
  -- in the tables of values have it as well.
  rid bigint not null,
  -- As the columns of `resource`. Patients are looked for among the keys.
  date_low timestamptz,
  date_high timestamptz,
  lead bigint,
  -- Of the container. Rows of another version than the current one are left from a server that
  -- does not know this table, and do not count.
  version integer not null,
  type smallint not null,
  -- Within the container.
  id text collate "C" not null,
  keys bigint[] not null,
  -- Of those that have a value the ones that the keys do not name; null for none.
  present smallint[]
);
-- Not unique: an update replaces the rows of its resource by one statement.
create index contained_resource_rid on contained_resource (rid);
create index contained_resource_id on contained_resource (type, id);
create index contained_resource_lead on contained_resource (lead) where lead is not null;
create index contained_resource_keys on contained_resource using gin (keys)
  with (fastupdate = on, gin_pending_list_limit = 256);

-- Contained resources as searches see them: everything that is not theirs is their container's,
-- who may see them above all.
create view contained_match as
select c.rid, c.type, c.id, c.date_low, c.date_high, c.lead, c.keys,
  coalesce(c.present, '{}') || array(select (k >> 48)::smallint from unnest(c.keys) k) as present,
  m.rid as container, m.type as container_type, m.id as container_id, m.version, m.last_updated,
  m.xid, m.epoch, m.deleted, m.owner, m.author, m.subject_rids, m.body
from contained_resource c
join resource m on m.rid = (-c.rid) >> 16 and m.version = c.version;
