 then 0 else search_definitions_changed() end
  from search_definitions
)
