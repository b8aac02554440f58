-- Rows of several patients, which no patient leads.
create index resource_shared on resource (type, lead, date_low)
  where patient is null and subject_rids <> '{}';
