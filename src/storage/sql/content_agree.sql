-- Index data is complete for one setting alone. A rebuild that was cut off begins again.
with changed as (
  update index_generation set has_content = $1, complete = 0
  where has_content <> $1
  returning 1
)
delete from reindex where exists (select from changed)
