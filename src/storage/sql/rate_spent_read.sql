select node, caller, total from rate_spent
where node <> $1 and at > now() - interval '1 minute'
order by at desc
limit 100000
