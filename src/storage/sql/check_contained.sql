select rid, type, id, version, date_low, date_high, lead, keys, present
from contained_resource
where rid between $1 and $2
