-- Practitioner?_has:Observation:performer:code=http://l|1
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 108
 and (r.rid in (select k.key & 281474976710655
 from resource r cross join lateral (select k.key from unnest(r.keys) as k(key)
 where k.key >> 48 = $1) k
 where r.lead = $2
 union all select k.key & 281474976710655
 from resource r cross join lateral (select k.key from unnest(r.keys) as k(key)
 where k.key >> 48 = $3) k
 where not r.deleted and r.type = 96 and r.rid = any(array(select f.rid from lead_value f
 where f.lead = $4))))) u
