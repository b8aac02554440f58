select s.hash, s.account::text as account, s.methods, s.user_agent, s.created, s.seen, s.expires
from login_session s join account a on a.account = s.account
where a.status = 'active' and a.epoch = s.account_epoch and
