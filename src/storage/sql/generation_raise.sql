-- The newest generation ever written here, this server's among them.
with raised as (
  update index_generation set generation = $1 where generation < $1 returning generation
)
select generation from raised
union all
select generation from index_generation
order by generation desc
limit 1
