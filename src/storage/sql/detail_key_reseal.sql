update detail_key set sealed = $2 where id = $1
