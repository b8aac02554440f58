select intern_tokens($1, $2, $3)
