delete from one_time_code where hash = $1 and purpose = $2 and expires > $3
returning account::text
