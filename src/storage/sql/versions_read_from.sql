) as w(type, id, version)
join resource r on r.id = w.id and r.type = w.type
join resource_history h on h.rid = r.rid and h.version = w.version
where not h.deleted and 
