 + (
  select case when number = 