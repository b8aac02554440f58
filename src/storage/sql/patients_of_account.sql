-- The patients for whom a person acts: as bearer_read has them.
select f.rid, f.id from proxied_patients($1, $2) as f
