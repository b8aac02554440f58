select c.tokens, c.texts, intern_units($5, $6, $7, $8), intern_texts($9)
from intern_coded($1, $2, $3, $4) c
