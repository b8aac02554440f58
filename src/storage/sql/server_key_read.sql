-- binds: purpose
select key from server_key where purpose = $1
