-- What was changed or deleted since the first page of a result, for its further pages. Creates
-- are not in it and pay nothing for it.
create index resource_changed on resource (type, epoch, xid) where version > 1;
