-- Condition?code:not-in=ValueSet/v&severity:below=http://s|1
select count(*) from (select 1
 from resource r
 where not r.deleted and r.type = 28
 and (r.lead = any($1) or r.keys && $2) is not true
 and (r.keys && $3)) u
