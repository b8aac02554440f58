with change as (
  select rid, version, patient, date_low, date_high, lead, keys::bigint[], present::smallint[],
    subject_rids::bigint[], labels::bigint[], profiles::bigint[]
  from unnest($1::bigint[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::timestamptz[],
    $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
    as c(rid, version, patient, date_low, date_high, lead, keys, present, subject_rids, labels,
      profiles)
)
update resource r set
  patient = c.patient, date_low = c.date_low, date_high = c.date_high, lead = c.lead,
  keys = c.keys, present = c.present,
  subject_rids = case when r.deleted then r.subject_rids else c.subject_rids end,
  labels = case when r.deleted then r.labels else c.labels end,
  profiles = case when r.deleted then r.profiles else c.profiles end,
  generation = $12
from change c
where r.rid = c.rid and r.version = c.version and r.generation <> $12
returning r.rid
