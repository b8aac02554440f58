select count(*), coalesce(max(rid), 0) from resource
