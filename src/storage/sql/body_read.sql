select rid, version, body from resource where rid = any($1) and not deleted
