with of_report as (select $1::timestamptz as since, $2::timestamptz as until, $3::integer as zone,
    $4::bigint as most, $5::integer as night, $6::integer as morning),
given as (
  select (e.recorded at time zone 'UTC' + make_interval(secs => o.zone))::date as day, e.agent,
    e.event::jsonb #>> '{agent,role}' as role, e.event::jsonb #>> '{agent,client}' as client,
    coalesce((e.event::jsonb ->> 'rows')::bigint, 0) as resources
  from of_report o join audit_event e on e.recorded >= o.since and e.recorded < o.until
  where e.kind in ('rest', 'disclosure') and e.outcome = '0'
)
select array[day::text, agent, coalesce(max(role), ''), coalesce(client, ''),
  sum(resources)::text, count(*)::text]
from given
group by day, agent, client
having sum(resources) > (select most from of_report)
order by sum(resources) desc, day, agent
