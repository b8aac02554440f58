select intern_references($1, $2, $3)
