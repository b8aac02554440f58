with codes as (delete from recovery_code where account = $1::text::uuid),
  devices as (delete from known_device where account = $1::text::uuid),
  passkeys as (delete from passkey where account = $1::text::uuid)
delete from totp where account = $1::text::uuid
