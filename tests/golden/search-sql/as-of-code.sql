-- Observation?code=http://l|1&_sort=-date
select *, (select 'changed' from resource c
 where c.type = any($1) and c.version > 1 and c.epoch = $2 and c.xid >= (select $3::xid8) and not pg_visible_in_snapshot(c.xid, (select $4::pg_snapshot)) limit 1) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $5
 and (r.epoch < $6 or r.xid < (select $7::xid8) or pg_visible_in_snapshot(r.xid, (select $8::pg_snapshot))) and r.date_low <= $9::text::timestamptz
 and (r.date_low < $10::text::timestamptz or r.date_low is null or (r.date_low = $11::text::timestamptz and r.rid < $12))
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where r.lead = $13
 and (r.epoch < $14 or r.xid < (select $15::xid8) or pg_visible_in_snapshot(r.xid, (select $16::pg_snapshot))) and r.date_low is null
 order by r.date_low desc nulls last, r.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $17
 and (r.epoch < $18 or r.xid < (select $19::xid8) or pg_visible_in_snapshot(r.xid, (select $20::pg_snapshot))) and f.date_low <= $21::text::timestamptz
 and (f.date_low < $22::text::timestamptz or f.date_low is null or (f.date_low = $23::text::timestamptz and r.rid < $24))
 order by f.date_low desc nulls last, f.rid desc limit 51)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, f.date_low as value from lead_value f cross join lateral (select *
 from resource r
 where r.rid = f.rid offset 0) r
 where f.lead = $25
 and (r.epoch < $26 or r.xid < (select $27::xid8) or pg_visible_in_snapshot(r.xid, (select $28::pg_snapshot))) and f.date_low is null
 order by f.date_low desc nulls last, f.rid desc limit 51)) u
 order by value desc nulls last, rid desc limit 51
