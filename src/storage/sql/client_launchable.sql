-- binds: applications at most
select client, name, publisher, launch_uri, redirect_uris from client
where status = 'active' and launch_uri is not null
  and 'launch' = any (string_to_array(scopes, ' '))
order by name, client
limit $1
