-- Versions of resources with from < rid <= to whose neighbours do not fit.
with version as (
  select rid, version, type, id, last_updated, epoch, xid, false as is_current
  from resource_history where rid > $1 and rid <= $2
  union all
  select rid, version, type, id, last_updated, epoch, xid, true
  from resource where rid > $1 and rid <= $2
), neighbour as (
  select v.*,
    lag(version) over w as version_before,
    lag(last_updated) over w as last_updated_before,
    lag((epoch, xid)) over w as commit_before,
    lead(version) over w as version_after,
    last_value(type) over (w rows between unbounded preceding and unbounded following) as own_type,
    last_value(id) over (w rows between unbounded preceding and unbounded following) as own_id
  from version v
  window w as (partition by rid order by version, is_current)
)
select rid, version, type, id,
  case
    when version_before is null and version <> 1 then 'the versions before are missing'
    when version <> version_before + 1 then 'it does not follow the version before, or stands twice'
    when version_after is null and not is_current then 'no current version comes after it'
    when version_after is not null and is_current then 'a version after the current one exists'
    when last_updated <= last_updated_before then 'lastUpdated is not after that of the version before'
    when (epoch, xid) < commit_before then 'it stands before the version before in commit order'
    when type <> own_type or id <> own_id then 'it has another type or id than the current version'
    when epoch > (select epoch from store_epoch) then 'its epoch is later than that of the store'
    else 'its transaction is one that has not begun'
  end as text
from neighbour
where (version_before is null and version <> 1)
  or version <> version_before + 1
  or (version_after is null) <> is_current
  or last_updated <= last_updated_before
  or (epoch, xid) < commit_before
  or type <> own_type or id <> own_id
  or epoch > (select epoch from store_epoch)
  or (epoch = (select epoch from store_epoch) and xid >= pg_snapshot_xmax(pg_current_snapshot()))
order by rid, version
