-- Condition?code:not-in=ValueSet/v&severity:below=http://s|1
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = $1
 and (r.lead = any($2) or r.keys && $3) is not true
 and (r.keys && $4)) u
