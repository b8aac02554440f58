select intern_tokens($1, $2, $3), intern_units($4, $5, $6, $7)
