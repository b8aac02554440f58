select node, seq, recorded, event from audit_event
where recorded >= $1 and recorded < $2 and (recorded, node, seq) > ($3, $4, $5)
order by recorded, node, seq
limit $6
