, prior as (
  select r.* from resource r join change c on r.rid = c.rid and r.version = c.version - 1
    and r.generation = c.generation
  for update of r
), history as (
  insert into resource_history (rid, last_updated, xid, owner, author, version, epoch, type,
    deleted, id, subject_rids, labels, profiles, body)
  select rid, last_updated, xid, owner, author, version, epoch, type,
    deleted, id, subject_rids, labels, profiles, body
  from prior
), updated as (
  update resource r set
    version = c.version, last_updated = c.last_updated, deleted = c.deleted,
    patient = c.patient, date_low = c.date_low, date_high = c.date_high, lead = c.lead,
    keys = c.keys, present = c.present, subject_rids = c.subject_rids, labels = c.labels,
    profiles = c.profiles, body = c.body, xid = pg_current_xact_id(), epoch = 
