select rid, owner, author from resource where rid = any($1)
