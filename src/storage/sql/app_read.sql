select client, name, publisher, epoch, scopes, grant_types, redirect_uris, is_first_party,
  skips_consent, requires_pushed
from client
where client = $1 and status = 'active'
