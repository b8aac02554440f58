update account set
  name = coalesce($2, name), role = coalesce($3, role), status = coalesce($4, status),
  password = coalesce($5, password), language = coalesce($6, language),
  epoch = epoch + case when $7 then 1 else 0 end, changed = $8
where account = $1::text::uuid
returning epoch
