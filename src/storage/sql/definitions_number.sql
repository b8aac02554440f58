select number from search_definitions
