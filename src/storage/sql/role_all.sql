(select practitioner, organization, source_rid, valid_from, valid_to from role_link
      union all
      select practitioner, organization, source_rid, valid_from, valid_to from role_new)
