-- Encounter?location.near=23.81|90.41
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 44
 and (r.keys && array(select $1 | r.rid
 from resource r
 where not r.deleted and r.type = 71
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $2
 and (v.first >= $3 and v.first <= $4
 and ((v.first - $5)::numeric * (v.first - $6) + (v.low - $7) * (v.low - $8) + (v.high - $9) * (v.high - $10)) <= $11)))
 union all select $12 | (r.rid & 281474976710655) from contained_match r
 where not r.deleted and r.type = 71
 and (select c.type from contained_resource c
 where c.type >= 71
 order by c.type limit 1) = 71
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $13
 and (v.first >= $14 and v.first <= $15
 and ((v.first - $16)::numeric * (v.first - $17) + (v.low - $18) * (v.low - $19) + (v.high - $20) * (v.high - $21)) <= $22))) and r.rid > -140737488355328))) u
