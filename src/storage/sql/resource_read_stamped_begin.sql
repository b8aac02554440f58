select s.rid, s.version, s.last_updated, s.deleted, s.body, w.witness
from (
