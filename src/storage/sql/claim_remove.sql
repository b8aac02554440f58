delete from claim_code where selector = $1
