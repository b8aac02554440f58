-- Care that a facility grants lasts as long as the practitioner has a role there. The organization
-- for which a link was granted, or would be if the practitioner had a role there; who wrote it, and
-- the period that the source states. Null for what is granted otherwise, and for older rows: they
-- stay as they are until their source is written again.
alter table care_link
  add column organization bigint,
  add column claimed_by text collate "C",
  add column claimed_from timestamptz,
  add column claimed_to timestamptz;
create index care_link_organization on care_link (practitioner, organization)
  where organization is not null;

-- From which age on nobody acts for a patient, by jurisdiction; that of '' where none is named.
create table proxy_age (
  jurisdiction text collate "C" primary key,
  years smallint not null
);

-- The patients for whom a person acts. Where a patient was registered in several jurisdictions the
-- lowest age counts; who has no date of birth has no age.
create or replace function proxied_patients(person bigint, at timestamptz)
returns table (rid bigint, id text)
language plpgsql stable as $$
begin
  return query
    select distinct r.rid, r.id
    from public.proxy_link l
    join public.resource r on r.rid = l.patient
    where l.person = proxied_patients.person and not r.deleted
      and l.valid_from <= at and at < l.valid_to
      and (r.date_low is null or not exists (
        select from (
          select coalesce(min(a.years), (
            select d.years from public.proxy_age d where d.jurisdiction = ''
          )) as years
          from public.release_link j join public.proxy_age a on a.jurisdiction = j.jurisdiction
          where j.rid = r.rid
        ) y
        where r.date_low + make_interval(years => y.years::integer) <= at
      ))
    order by r.rid
    limit 100;
end
$$;
