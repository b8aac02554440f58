update login_session set seen = $2 where hash = $1 and seen < $3
