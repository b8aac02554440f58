select id, account::text as account, name, public_key, algorithm, counter, transports, created,
  used, ends
from passkey
where
