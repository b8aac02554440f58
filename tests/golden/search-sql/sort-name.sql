-- Patient?_sort=family
select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, array[s.value::text]::text[] as sort_values
 from resource r
 left join (select v.rid, min(v.normalised) as value from string_value v
 where v.parameter = $1 group by v.rid) s on s.rid = r.rid
 where not r.deleted and r.type = $2
 and (s.value > $3::text or s.value is null or (s.value = $4::text and r.rid > $5))
 order by s.value, r.rid limit 51
