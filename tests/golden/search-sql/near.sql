-- Location?near=23.81|90.41|5|km&status=active
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, s.value::text as value
 from resource r
 left join (select v.rid, min(least(((v.first - $1)::numeric * (v.first - $2) + (v.low - $3) * (v.low - $4) + (v.high - $5) * (v.high - $6)))) as value from composite_value v
 where ((v.first >= $7 and v.first <= $8
 and ((v.first - $9)::numeric * (v.first - $10) + (v.low - $11) * (v.low - $12) + (v.high - $13) * (v.high - $14)) <= $15)) and v.parameter = $16 group by v.rid) s on s.rid = r.rid
 where not r.deleted and r.type = 71
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $17
 and (v.first >= $18 and v.first <= $19
 and ((v.first - $20)::numeric * (v.first - $21) + (v.low - $22) * (v.low - $23) + (v.high - $24) * (v.high - $25)) <= $26)))
 and (r.keys && $27)
 order by s.value, r.rid limit 51) u
