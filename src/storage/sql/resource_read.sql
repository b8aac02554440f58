select r.rid, r.version, r.last_updated, r.deleted, r.body
from resource r
where r.id = 
