) as a(one, patient, source_rid, source, valid_from, valid_to, writer)
      left join  