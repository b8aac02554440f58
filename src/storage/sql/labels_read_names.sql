
  ) as v (list, token)
)
select u.list, t.system, t.code
from used u
join token t on t.token = u.token
order by u.list, t.system, t.code
limit 