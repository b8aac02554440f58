-- Observation?subject:Patient.name=eve
select distinct c.rid from unnest($1, $2, $3) as c(rid, type, id) join resource r on r.id = c.id and r.type = c.type
 where not r.deleted and r.type = 103
 and (r.subject_rids && $4 or r.owner = any($5) or r.author = any($6))
 and (r.rid in (select v.rid from string_value v
 where v.parameter = any(array[$7, $8])
 and (v.normalised >= $9 and v.normalised < $10)))
