-- Secrets that all server processes on this database share, made by the first one: the key
-- that signs page links.
create table server_key (
  purpose text collate "C" primary key,
  key bytea not null check (length(key) = 32),
  created timestamptz not null default now()
);
