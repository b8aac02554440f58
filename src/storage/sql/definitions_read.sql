select d.number, c.parameter, c.resource_id, c.state, c.definition, c.seen,
  coalesce(c.total, 0) as total
from search_definitions d left join custom_parameter c on true
order by c.parameter
