insert into audit_event (node, seq, recorded, epoch, kind, subtype, action, outcome, agent,
    person, address, patients, resources, event, hash)
  select a.node, a.seq, a.recorded, a.epoch, a.kind, a.subtype, a.action, a.outcome, a.agent,
    a.person, a.address, a.patients::text[], a.resources::text[], a.event, a.hash
  from unnest(