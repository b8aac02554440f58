copy resource_json (rid, resource) from stdin (format binary)
