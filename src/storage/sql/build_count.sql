select count(*) from resource where type = any($1)
