select r.id
from identifier_value i join resource r using (rid)
where i.value = $1 and i.parameter = $2 and i.system = $3
  and r.type = $4 and not r.deleted and r.rid <> all($5)
limit 1
