
  from change where version = 1
  returning rid
)
