, care_link_made as (
  insert into care_link (practitioner, patient, source_rid, source, granted_by, valid_from,
    valid_to, organization, claimed_by, claimed_from, claimed_to)
  -- Who may not grant it leaves what was granted before, and may shorten it. What is granted for an
  -- organization lasts as long as the practitioner's role there.
  select c.practitioner, c.patient, c.source_rid, c.source,
    case when c.is_granted then c.writer else b.granted_by end,
    case when c.is_granted then c.valid_from else greatest(c.valid_from, b.valid_from) end,
    case when c.is_granted then least(c.valid_to, c.role_until)
      when b.granted_by is null then '-infinity'
      else least(c.valid_to, b.valid_to) end,
    case when k.is_claim then c.organization else b.organization end,
    case when k.is_claim then c.writer else b.claimed_by end,
    case when k.is_claim then c.valid_from else greatest(c.valid_from, b.claimed_from) end,
    case when k.is_claim then c.valid_to else least(c.valid_to, b.claimed_to) end
  from (
    select n.practitioner, n.patient, n.source_rid, n.source, n.valid_from, n.valid_to,
      w.name as writer, role.until as role_until,
      case when w.self is distinct from n.practitioner then role.root end as organization,
