select node, public_key from audit_node order by started, node
