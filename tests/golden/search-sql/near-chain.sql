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
 and ((v.first - $5)::numeric * (v.first - $6) + (v.low - $7) * (v.low - $8) + (v.high - $9) * (v.high - $10)) <= $11)))))) u
