select s.type, s.id, s.rid,
  exists (select from resource r where r.rid = s.rid) as has_rid,
  exists (select from resource r where r.id = s.id and r.type = s.type) as has_key
from reference_stub s
where exists (select from resource r where r.rid = s.rid)
  or exists (select from resource r where r.id = s.id and r.type = s.type)
limit 1000
