-- Up to which generation all index data is known to be; in an empty database it is the newest.
with empty as (
  update index_generation set complete = $1
  where complete < $1 and not exists (select from resource)
  returning complete
)
select coalesce((select complete from empty), (select complete from index_generation))
