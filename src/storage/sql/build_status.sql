-- Binds: a logical id or null for all.
select c.parameter, c.resource_id, c.state, p.url, p.code, c.seen, c.indexed, c.total, c.started,
  c.finished, c.leased_until > clock_timestamp() as is_worked_on
from custom_parameter c join parameter p using (parameter)
where $1::text is null or c.resource_id = $1
order by c.parameter
limit $2
