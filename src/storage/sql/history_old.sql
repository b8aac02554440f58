(
  select rid, type, id, version, last_updated, deleted, body, epoch, xid, subject_rids, owner,
    author
  from resource_history
) as h
where h.xid < (select xmin from horizon)
