select rid, type, id, version, last_updated, deleted, body
from resource_history
where rid > $1 and rid <= $2
order by rid, version
