-- MedicationAdministration?context:above=Encounter/21&status=completed
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 76
 and (r.keys && (select at_most(array(with recursive h (rid) as (select unnest($1::bigint[]) union select k.key & 281474976710655 from h join resource c on c.rid = h.rid cross join lateral unnest(c.keys) as k(key)
 where k.key >> 48 = $2 and not c.deleted) select $3 | h.rid from h limit $4), $5)))
 and (r.keys && $6)) u
