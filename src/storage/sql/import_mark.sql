insert into import_unit (hash, imported) values ($1, $2) on conflict do nothing
