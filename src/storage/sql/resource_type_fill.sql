-- binds: numbers, names
insert into resource_type (type, name)
select w.type, w.name from unnest($1::smallint[], $2::text[]) as w(type, name)
where not exists (select from resource_type)
on conflict do nothing
