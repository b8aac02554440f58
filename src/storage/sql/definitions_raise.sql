update search_definitions set number = number + 1 where number = $1
