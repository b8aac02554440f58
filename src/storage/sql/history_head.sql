with horizon as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin)
select v.rid, v.type, v.id, v.version, v.last_updated, v.deleted, v.body, v.epoch,
  v.xid::text as xid
from (
