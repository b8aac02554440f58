insert into throttle as t (key, attempts, since) values ($1, 1, $2)
on conflict (key) do update set
  attempts = case when t.since < $3 then 1 else t.attempts + 1 end,
  since = case when t.since < $3 then $2 else t.since end,
  blocked_until = case
    when t.since < $3 or t.attempts + 1 < $4 then null
    else $2 + least($6::double precision, $5::double precision
      * power(2, least(t.attempts + 1 - $4, 20))) * interval '1 second'
  end
where t.blocked_until is null or t.blocked_until <= $2
returning attempts
