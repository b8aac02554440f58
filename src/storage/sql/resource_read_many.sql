select w.n, r.rid, r.version, r.last_updated, r.deleted, r.body
from unnest(