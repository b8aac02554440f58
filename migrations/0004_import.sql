-- What imports have stored already, by a hash of its content: written in the transaction of
-- its resources, so that an import that was cut off goes on where it was.
create table import_unit (
  hash bytea primary key check (length(hash) = 32),
  imported timestamptz not null
);
