select seq, recorded, kind, subtype, action, outcome, agent, person, address, patients, resources,
  event, hash
from audit_event
where node = $1 and epoch = $2 and xid >= $3 and xid < $4
order by seq
