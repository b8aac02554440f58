-- Whoever takes it deletes it, so it is good for one answer, right or wrong.
with taken as (
  delete from passkey_challenge where hash = $1
  returning purpose, account, browser, state, expires
)
select state from taken
where purpose = $2 and account is not distinct from $3::text::uuid and browser = $4
  and expires > $5
