with of_report as (select $1::timestamptz as since, $2::timestamptz as until, $3::integer as zone,
    $4::bigint as most, $5::integer as night, $6::integer as morning),
refused as (
  select (e.recorded at time zone 'UTC' + make_interval(secs => o.zone))::date as day, e.agent,
    e.address, e.event::jsonb #>> '{agent,role}' as role,
    e.event::jsonb #>> '{agent,client}' as client,
    1 + coalesce((e.event::jsonb ->> 'repeated')::bigint, 0) as times
  from of_report o join audit_event e on e.recorded >= o.since and e.recorded < o.until
  where e.outcome = '4'
)
select array[day::text, agent, coalesce(max(role), ''), coalesce(max(client), ''),
  coalesce(address, ''), sum(times)::text]
from refused
group by day, agent, address
having sum(times) > (select most from of_report)
order by sum(times) desc, day, agent
