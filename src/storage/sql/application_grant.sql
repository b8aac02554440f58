-- binds: role
select grant_application($1)
