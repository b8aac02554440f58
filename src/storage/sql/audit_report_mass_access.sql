with of_report as (select $1::timestamptz as since, $2::timestamptz as until, $3::integer as zone,
    $4::bigint as most, $5::integer as night, $6::integer as morning),
seen as (
  select (e.recorded at time zone 'UTC' + make_interval(secs => o.zone))::date as day, e.node, e.seq,
    e.agent, e.person, e.event::jsonb #>> '{agent,role}' as role,
    e.event::jsonb #>> '{agent,client}' as client, unnest(e.patients) as patient
  from of_report o join audit_event e on e.recorded >= o.since and e.recorded < o.until
  where e.kind in ('rest', 'disclosure') and e.outcome = '0'
)
select array[day::text, agent, coalesce(max(role), ''), coalesce(max(person), ''),
  coalesce(max(client), ''), count(distinct patient)::text, count(distinct (node, seq))::text]
from seen
group by day, agent
having count(distinct patient) > (select most from of_report)
order by count(distinct patient) desc, day, agent
