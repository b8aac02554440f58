insert into reindex (generation, rid, started) values ($1, $2, $3)
on conflict (only_row) do update set generation = excluded.generation, rid = excluded.rid
