-- binds: issuer, subject, role, now; ends what the old role was granted
with changed as (
  update upstream_identity set role = $3 where issuer = $1 and subject = $2 returning account
)
update account a set role = $3, epoch = epoch + 1, changed = $4
from changed where a.account = changed.account
