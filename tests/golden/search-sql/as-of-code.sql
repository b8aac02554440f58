-- Observation?code=http://l|1&_sort=-date
select *, array[value::text]::text[] as sort_values, (select 'changed' from resource c
 where c.type = any($1) and c.version > 1 and c.epoch = $2 and c.xid >= $3::xid8 and not pg_visible_in_snapshot(c.xid, $4::pg_snapshot) limit 1) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $5
 and (r.epoch < $6 or r.xid < $7::xid8 or pg_visible_in_snapshot(r.xid, $8::pg_snapshot)) and r.lead = $9 and r.date_low <= $10::text::timestamptz
 and (r.date_low < $11::text::timestamptz or r.date_low is null or (r.date_low = $12::text::timestamptz and r.rid < $13))
 order by r.date_low desc nulls last, r.rid desc limit $14)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $15
 and (r.epoch < $16 or r.xid < $17::xid8 or pg_visible_in_snapshot(r.xid, $18::pg_snapshot)) and r.lead = $19 and r.date_low is null
 order by r.date_low desc nulls last, r.rid desc limit $20)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $21
 and (r.epoch < $22 or r.xid < $23::xid8 or pg_visible_in_snapshot(r.xid, $24::pg_snapshot)) and r.keys && $25
 and (r.lead = $26) is not true
 and (r.date_low < $27::text::timestamptz or r.date_low is null or (r.date_low = $28::text::timestamptz and r.rid < $29))
 order by r.date_low desc nulls last, r.rid desc limit $30)) u
 order by value desc nulls last, rid desc limit $31
