, 'before', case when o.rid is not null then
    json_build_object('owner', o.owner, 'author', o.author, 'subjects', o.subject_rids) end
