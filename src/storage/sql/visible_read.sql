select r.rid, r.version, r.last_updated, r.deleted, r.body, r.generation, s.rid as stub, 
