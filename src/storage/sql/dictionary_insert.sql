-- binds: number, content
insert into body_dictionary (dictionary, content)
select $1, $2
where not exists (select from body_dictionary where dictionary = $1)
on conflict do nothing
