-- Transactions that have written resources and are under way. One that is not among them takes
-- its lock later, and its snapshot after that.
select distinct virtualtransaction from pg_locks
where locktype = 'relation' and relation = 'public.resource'::regclass
  and database = (select oid from pg_database where datname = current_database())
  and mode = 'RowExclusiveLock' and pid <> pg_backend_pid()
