select rid, type, id, version, last_updated, deleted, body, epoch, xid::text as xid from
