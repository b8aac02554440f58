select r.rid, r.type, r.id, h.version, h.last_updated, h.deleted, h.body
from unnest(
