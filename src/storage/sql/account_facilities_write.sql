insert into account_facility (account, place, rid, id)
select $1::text::uuid, f.place - 1, f.rid, f.id
from unnest($2::bigint[], $3::text[]) with ordinality f(rid, id, place)
