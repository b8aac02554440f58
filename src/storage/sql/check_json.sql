-- binds: rids and texts of live resources; rids from, to
select coalesce(w.rid, j.rid) as rid, j.rid is null as missing, w.rid is null as superfluous
from unnest($1::bigint[], $2::text[]) as w(rid, resource)
full join (select * from resource_json where rid > $3 and rid <= $4) as j on j.rid = w.rid
where j.resource is distinct from w.resource::jsonb
