with taken as (
  delete from authorization_request where hash = $1 and expires > $13 returning hash
), granted as (
  insert into access_grant
    (client, account, session, scopes, launch, patient_rid, methods, signed_in, account_epoch,
     client_epoch, created, expires)
  select $2, $3::text::uuid, $4, $5, $6, $7, $8, $9, $10, $11, $13, $12 from taken
  returning access_grant
)
insert into authorization_code
  (hash, access_grant, redirect_uri, code_challenge, nonce, created, expires, dpop_jkt)
select $14, access_grant, $15, $16, $17, $13, $12, $18 from granted
returning access_grant
