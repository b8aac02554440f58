-- binds: origins at most
select distinct origin
from client cross join unnest(origins) as origin
where status = 'active'
limit $1
