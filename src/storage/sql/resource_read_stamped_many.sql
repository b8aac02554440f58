select w.n, r.rid, r.version, r.last_updated, r.deleted, r.body, r.type, r.owner, r.author,
  r.subject_rids, r.keys
from unnest(