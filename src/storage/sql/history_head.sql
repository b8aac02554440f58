with horizon as materialized (
  select coalesce(
    (
      select x from pg_snapshot_xip(s.snapshot) as x
      where x::xid not in (
        select a.backend_xid from pg_stat_activity a
        where a.backend_xid is not null
          and a.datid <> (select oid from pg_database where datname = current_database())
      )
      order by x limit 1
    ),
    pg_snapshot_xmax(s.snapshot)
  ) as xmin
  from (select pg_current_snapshot() as snapshot) as s
)
select v.rid, v.type, v.id, v.version, v.last_updated, v.deleted, v.body, v.epoch,
  v.xid::text as xid
from (
