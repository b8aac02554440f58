update throttle set attempts = attempts - 1, blocked_until = null where key = $1 and attempts > 0
