delete from authorization_request where hash = $1
