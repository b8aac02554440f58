select blocked_until from throttle where key = $1
