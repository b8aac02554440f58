select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.generation
from resource r
where r.rid > $1
order by r.rid
limit $2
