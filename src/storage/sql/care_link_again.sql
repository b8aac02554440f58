, care_link_again as (
  update care_link l
  set granted_by = case when n.until is null then null else l.claimed_by end,
    valid_from = l.claimed_from,
    valid_to = case when n.until is null then '-infinity' else least(l.claimed_to, n.until) end
  from (
    select c.practitioner, c.organization, max(r.valid_to) as until
    from (
      select distinct l.practitioner, l.organization
      from care_link l
      where l.organization is not null and l.practitioner in (
        select practitioner from role_link where source_rid = any(