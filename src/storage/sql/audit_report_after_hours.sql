with of_report as (select $1::timestamptz as since, $2::timestamptz as until, $3::integer as zone,
    $4::bigint as most, $5::integer as night, $6::integer as morning),
seen as (
  select e.recorded at time zone 'UTC' + make_interval(secs => o.zone) as at, e.node, e.seq,
    e.agent, e.person, e.event::jsonb #>> '{agent,role}' as role, unnest(e.patients) as patient,
    o.night, o.morning, o.most
  from of_report o join audit_event e on e.recorded >= o.since and e.recorded < o.until
  where e.kind in ('rest', 'disclosure') and e.outcome = '0'
),
at_night as (
  select *, extract(hour from at)::integer as hour from seen
  where role in ('doctor', 'hospital_staff', 'admin')
)
select array[at::date::text, agent, coalesce(max(role), ''), coalesce(max(person), ''),
  count(distinct patient)::text, count(distinct (node, seq))::text,
  to_char(min(at), 'HH24:MI'), to_char(max(at), 'HH24:MI')]
from at_night
where case when night > morning then hour >= night or hour < morning
  else hour >= night and hour < morning end
group by at::date, agent
having count(distinct patient) > max(most)
order by count(distinct patient) desc, at::date, agent
