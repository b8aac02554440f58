delete from reference_stub where rid = any($1)
