delete from rate_spent where at < now() - interval '5 minutes'
