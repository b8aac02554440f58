, role_now as (
  select practitioner, organization, source_rid, valid_from, valid_to from role_link
  where source_rid <> all(