
union all
select h.rid, h.version, h.last_updated, h.deleted, h.body
from found join resource_history h using (rid)
where h.version = 
