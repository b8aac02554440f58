
select (select count(*) from created) + (select count(*) from updated)
