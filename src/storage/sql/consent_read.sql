select scopes from consent where account = $1::text::uuid and client = $2
