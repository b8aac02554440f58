-- Practitioner?_has:Observation:performer:code=http://l|1
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = $1
 and (r.rid in (select k.key & 281474976710655
 from resource r cross join lateral unnest(r.keys) as k(key)
 where not r.deleted and r.type = $2
 and (r.lead = $3 or r.keys && $4) and k.key >> 48 = $5))) u
