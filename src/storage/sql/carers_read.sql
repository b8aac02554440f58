select r.type, r.id
from resource r
where not r.deleted and r.rid in (
  select l.practitioner from care_link l
  where l.patient = any($1) and l.valid_from <= now() and l.valid_to > now()
)
