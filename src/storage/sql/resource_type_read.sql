select type, name from resource_type order by type
