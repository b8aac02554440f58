update search_definitions set number = number + 1
