-- Location?near=0|179.9|1,89|0|200|[mi_i]&near=1|1&_sort=-near
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, s.value::text as value
 from resource r
 left join (select v.rid, min(least(((v.first - $1)::numeric * (v.first - $2) + (v.low - $3) * (v.low - $4) + (v.high - $5) * (v.high - $6)), ((v.first - $7)::numeric * (v.first - $8) + (v.low - $9) * (v.low - $10) + (v.high - $11) * (v.high - $12)))) as value from composite_value v
 where ((v.first >= $13 and v.first <= $14
 and ((v.first - $15)::numeric * (v.first - $16) + (v.low - $17) * (v.low - $18) + (v.high - $19) * (v.high - $20)) <= $21) or (v.first >= $22 and v.first <= $23
 and ((v.first - $24)::numeric * (v.first - $25) + (v.low - $26) * (v.low - $27) + (v.high - $28) * (v.high - $29)) <= $30)) and v.parameter = $31 group by v.rid) s on s.rid = r.rid
 where not r.deleted and r.type = 71
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $32
 and ((v.first >= $33 and v.first <= $34
 and ((v.first - $35)::numeric * (v.first - $36) + (v.low - $37) * (v.low - $38) + (v.high - $39) * (v.high - $40)) <= $41) or (v.first >= $42 and v.first <= $43
 and ((v.first - $44)::numeric * (v.first - $45) + (v.low - $46) * (v.low - $47) + (v.high - $48) * (v.high - $49)) <= $50))))
 and (r.rid in (select v.rid from composite_value v
 where v.parameter = $51
 and (v.first >= $52 and v.first <= $53
 and ((v.first - $54)::numeric * (v.first - $55) + (v.low - $56) * (v.low - $57) + (v.high - $58) * (v.high - $59)) <= $60)))
 and (s.value < $61::text::numeric or s.value is null or (s.value = $62::text::numeric and r.rid < $63))
 order by s.value desc nulls last, r.rid desc limit 51) u
