with seen as (
  select r.profiles, r.labels, r.keys from resource r where not r.deleted and 