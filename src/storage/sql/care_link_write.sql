, care_link_made as (
  insert into care_link (practitioner, patient, source_rid, source, granted_by, valid_from,
    valid_to)
  -- Who may not grant it leaves what was granted before, and may shorten it.
  select c.practitioner, c.patient, c.source_rid, c.source,
    case when c.is_granted then c.writer else b.granted_by end,
    case when c.is_granted then c.valid_from else greatest(c.valid_from, b.valid_from) end,
    case when c.is_granted then c.valid_to
      when b.granted_by is null then '-infinity'
      else least(c.valid_to, b.valid_to) end
  from (
    select n.practitioner, n.patient, n.source_rid, n.source, n.valid_from, n.valid_to,
      w.name as writer,
