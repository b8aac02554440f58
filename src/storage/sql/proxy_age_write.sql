-- binds: jurisdictions, years
with old as (
  delete from proxy_age where jurisdiction <> all($1::text[])
)
insert into proxy_age (jurisdiction, years)
select distinct on (w.jurisdiction) w.jurisdiction, w.years
from unnest($1::text[], $2::smallint[]) as w(jurisdiction, years)
order by w.jurisdiction, w.years
on conflict (jurisdiction) do update set years = excluded.years
where proxy_age.years <> excluded.years
