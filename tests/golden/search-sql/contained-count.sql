-- Observation?date=ge2020&_contained=both
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 96
 and (r.date_low, r.rid) >= ($1, 0)
 and (r.date_high - r.date_low > interval '25:00:00') is not true
 and ((r.date_low >= $2 or r.date_high > $3))
 union all select 1
 from resource r
 where not r.deleted and r.type = 96 and r.date_high - r.date_low > interval '25:00:00'
 and ((r.date_low >= $4 or r.date_high > $5))
 union all select r.rid from (select distinct u.rid, u.rid as container from (select r.container as rid from contained_match r
 where not r.deleted and r.type = 96
 and ((r.date_low >= $6 or r.date_high > $7))) u) r
 where true and not exists (select
 from resource r
 where not r.deleted and r.type = 96
 and ((r.date_low >= $8 or r.date_high > $9)) and r.rid = container)) u
