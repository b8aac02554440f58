delete from launch_handle where hash = $1 and client = $2 and expires > $3
returning account::text, context
