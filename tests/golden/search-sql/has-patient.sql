-- Patient?_has:Observation:patient:code=http://l|1&gender=male
select *, array[value::text]::text[] as sort_values, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from ((select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $1 and r.lead = any($2)
 and (r.rid in (select r.patient
 from resource r
 where not r.deleted and r.type = $3
 and (r.lead = $4 or r.keys && $5) and r.patient is not null))
 order by r.date_low desc nulls last, r.rid desc limit $6)
 union all (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.date_low as value
 from resource r
 where not r.deleted and r.type = $7 and r.keys && $8
 and (r.lead = any($9)) is not true
 and (r.rid in (select r.patient
 from resource r
 where not r.deleted and r.type = $10
 and (r.lead = $11 or r.keys && $12) and r.patient is not null))
 order by r.date_low desc nulls last, r.rid desc limit $13)) u
 order by value desc nulls last, rid desc limit $14
