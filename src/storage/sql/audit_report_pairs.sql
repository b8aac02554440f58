with of_report as (select $1::timestamptz as since, $2::timestamptz as until, $3::integer as zone,
    $4::bigint as most, $5::integer as night, $6::integer as morning),
seen as (
  select e.recorded at time zone 'UTC' + make_interval(secs => o.zone) as at, e.person,
    'Patient/' || unnest(e.patients) as patient
  from of_report o join audit_event e on e.recorded >= o.since and e.recorded < o.until
  where e.kind in ('rest', 'disclosure') and e.outcome = '0' and e.person is not null
)
select array[person, patient, count(*)::text, to_char(min(at), 'YYYY-MM-DD HH24:MI'),
  to_char(max(at), 'YYYY-MM-DD HH24:MI')]
from seen
where person <> patient
group by person, patient
order by person, patient
