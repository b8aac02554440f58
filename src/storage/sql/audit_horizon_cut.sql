select xid + 1 from audit_event
where node = $1 and epoch = $2 and xid >= $3 and xid < $4
order by xid limit 1 offset $5
