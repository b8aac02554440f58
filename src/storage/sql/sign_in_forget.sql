with codes as (delete from one_time_code where expires < $1),
  claims as (delete from claim_code where expires < $1),
  throttles as (
    delete from throttle
    where since < $1 - interval '1 day' and (blocked_until is null or blocked_until < $1)
  ),
  requests as (delete from authorization_request where expires < $1),
  challenges as (delete from passkey_challenge where expires < $1),
  handles as (delete from launch_handle where expires < $1),
  devices as (delete from known_device where expires < $1)
delete from login_session where expires < $1
