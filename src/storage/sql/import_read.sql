select hash from import_unit where hash = any($1)
