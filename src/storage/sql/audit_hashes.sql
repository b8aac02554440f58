select seq, hash,
  hash = sha256(int4send(octet_length(node)) || convert_to(node, 'UTF8') || int8send(seq)
    || convert_to(event, 'UTF8')) as is_right
from audit_event
where node = $1 and epoch = $2 and xid >= $3 and xid < $4
order by seq
