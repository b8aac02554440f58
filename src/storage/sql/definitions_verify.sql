-- Fails where the search parameters are no longer those of this number.
select case when number = $1 then 0 else search_definitions_changed() end from search_definitions
