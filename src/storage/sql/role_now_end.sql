) as a(practitioner, organization, source_rid, source, valid_from, valid_to)
)