select kid, purpose, algorithm, state, public_jwk, sealed, created, activated, retired
from signing_key
order by purpose, created, kid
