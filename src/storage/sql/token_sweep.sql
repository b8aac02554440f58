-- binds: now, until when something must have ended
with codes as (
  delete from authorization_code where expires < $2 returning 1
), assertions as (
  delete from assertion_jti where expires < $1 returning 1
), sets as (
  delete from scope_set where used < $2 returning 1
)
delete from access_grant where expires < $2
