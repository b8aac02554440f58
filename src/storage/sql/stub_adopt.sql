, adopted as (
  delete from reference_stub where rid = any(array(select rid from change where version = 1))
)
