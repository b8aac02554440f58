-- Rows of several patients, which no patient leads.
create index resource_shared on resource (type, lead, date_low)
  where patient is null and subject_rids <> '{}';

-- Who has whom in care; what belongs to whom is made with the links.
create table if not exists care_link (
  practitioner bigint not null,
  patient bigint not null,
  source_rid bigint not null,
  source smallint not null,
  granted_by text collate "C",
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index if not exists care_link_pair
  on care_link (practitioner, patient, valid_to, valid_from);
create table if not exists facility_link (
  organization bigint not null,
  patient bigint not null,
  source_rid bigint not null,
  source smallint not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index if not exists facility_link_pair
  on facility_link (organization, patient, valid_to, valid_from);
create table if not exists release_link (
  jurisdiction text collate "C" not null,
  rid bigint not null,
  source_rid bigint not null,
  source smallint not null
);
create index if not exists release_link_rid on release_link (rid, jurisdiction);
