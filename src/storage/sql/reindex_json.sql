-- binds: rids, texts
insert into resource_json (rid, resource)
select j.rid, j.resource::jsonb from unnest($1::bigint[], $2::text[]) as j(rid, resource)
on conflict (rid) do update set resource = excluded.resource
where resource_json.resource is distinct from excluded.resource
