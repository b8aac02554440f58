-- Who stands in which relation to whom, by surrogate keys: what row filters read. The server
-- derives all of it from resources, in the statement that writes them, by the rules of
-- fhir-profiles/bhn-links.json; docs/decisions/0018-links.md. Rows of one source go and come
-- together. An open end is a date beyond all that FHIR can write.

-- A practitioner has a patient in care.
create table care_link (
  practitioner bigint not null,
  patient bigint not null,
  -- The resource that says so, and the number of the rule.
  source_rid bigint not null,
  source smallint not null,
  -- Who wrote it. A claim that nobody who may grant it wrote is kept, null and never valid.
  granted_by text collate "C",
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index care_link_pair on care_link (practitioner, patient, valid_to, valid_from);
create index care_link_patient on care_link (patient, practitioner, valid_to, valid_from);
create index care_link_source on care_link (source_rid);

-- A patient was registered, or is or was cared for, at an organization.
create table facility_link (
  organization bigint not null,
  patient bigint not null,
  source_rid bigint not null,
  source smallint not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index facility_link_pair on facility_link (organization, patient, valid_to, valid_from);
create index facility_link_source on facility_link (source_rid);

-- A person (Patient, RelatedPerson or Person) acts for a patient, as verified by staff.
create table proxy_link (
  person bigint not null,
  patient bigint not null,
  source_rid bigint not null,
  source smallint not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index proxy_link_pair on proxy_link (person, patient, valid_to, valid_from);
create index proxy_link_source on proxy_link (source_rid);

-- A practitioner works for an organization, by an active PractitionerRole (source_rid).
create table role_link (
  practitioner bigint not null,
  organization bigint not null,
  source_rid bigint not null,
  source smallint not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null
);
create index role_link_pair on role_link (practitioner, organization, valid_to, valid_from);
create index role_link_source on role_link (source_rid, practitioner, organization);

-- A registry of the jurisdiction may see the resource: a released birth registration, or what
-- one refers to.
create table release_link (
  jurisdiction text collate "C" not null,
  rid bigint not null,
  source_rid bigint not null,
  source smallint not null
);
create index release_link_rid on release_link (rid, jurisdiction);
create index release_link_source on release_link (source_rid);

-- Organization.partOf.
create table organization_part (
  organization bigint not null,
  parent bigint not null,
  source_rid bigint not null,
  source smallint not null
);
create index organization_part_parent on organization_part (parent, organization);
create index organization_part_source on organization_part (source_rid);

-- These organizations first, in their order, then all that are part of them, each once; to a
-- depth of 16.
create function organizations_under(organizations bigint[]) returns bigint[]
language sql stable parallel safe
return (
  with recursive under(organization, depth, place) as (
    select o, 0, n from unnest(organizations) with ordinality as w(o, n)
    union
    select p.organization, u.depth + 1, 0
    from under u join organization_part p on p.parent = u.organization
    where u.depth < 16
  )
  select coalesce(array_agg(organization order by depth, place), '{}')
  from (
    select distinct on (organization) organization, depth, place
    from under order by organization, depth, place
  ) once
);
