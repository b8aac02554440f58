delete from reindex
