select nextval('rid_block') from generate_series(1, $1)
