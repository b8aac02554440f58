select r.rid, r.version, r.last_updated, r.deleted, r.body, s.rid as stub, 
