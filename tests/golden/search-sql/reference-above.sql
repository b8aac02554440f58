-- MedicationAdministration?context:above=Encounter/21&status=completed
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = $1
 and (r.keys && (select at_most(array(with recursive h (rid) as (select unnest($2::bigint[]) union select k.key & 281474976710655 from h join resource c on c.rid = h.rid cross join lateral unnest(c.keys) as k(key)
 where k.key >> 48 = $3 and not c.deleted) select $4 | h.rid from h limit $5), $6)))
 and (r.keys && $7)) u
