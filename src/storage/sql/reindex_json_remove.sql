delete from resource_json where rid = any($1)
