select pg_notify('search_definitions', '')
