copy contained_resource (rid, version, type, id, date_low, date_high, lead, keys, present)
from stdin (format binary)
