-- binds: kid, state, now; a removed key loses its private half
update signing_key set state = $2,
  activated = case when $2 = 'active' then $3 else activated end,
  retired = case when $2 in ('retiring', 'removed') then coalesce(retired, $3) else retired end,
  sealed = case when $2 = 'removed' then null else sealed end
where kid = $1
