-- binds: numbers, canonical URLs, codes
insert into parameter (parameter, url, code)
select w.parameter, w.url, w.code
from unnest($1::smallint[], $2::text[], $3::text[]) as w(parameter, url, code)
on conflict do nothing
