delete from one_time_code where purpose = $1 and account is not distinct from $2::text::uuid
