select rid from reindex where generation = $1
