select request, created from authorization_request where hash = $1 and expires > $2
