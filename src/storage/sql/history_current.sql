(
  select rid, type, id, version, last_updated, deleted, body, epoch, xid, subject_rids, owner,
    author
  from resource
) as r
where r.xid < (select xmin from horizon)
