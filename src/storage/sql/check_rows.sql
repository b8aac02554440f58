select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.generation, r.patient,
  r.date_low, r.date_high, r.lead, r.keys, r.present, r.subject_rids, r.labels, r.profiles
from resource r
where r.rid > $1
order by r.rid
limit $2
