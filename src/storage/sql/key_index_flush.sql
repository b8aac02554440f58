select gin_clean_pending_list($1::text::regclass)
