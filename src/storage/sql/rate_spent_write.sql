insert into rate_spent (node, caller, total, at)
select $1, s.caller, s.spent, now() from unnest($2::text[], $3::bigint[]) as s(caller, spent)
order by s.caller
on conflict (node, caller) do update set at = excluded.at,
  -- Who was not seen for a minute was forgotten by the others.
  total = case when rate_spent.at < now() - interval '1 minute' then excluded.total
    else rate_spent.total + excluded.total end
