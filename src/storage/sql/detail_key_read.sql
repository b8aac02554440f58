select id, month, sealed from detail_key order by id
