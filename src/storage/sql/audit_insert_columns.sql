) as a(node, seq, recorded, epoch, kind, subtype, action, outcome, agent, person, address,
    patients, resources, event, hash)
  where true