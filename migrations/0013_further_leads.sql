-- What else than its first main coding a resource is coded as: a row for each further one, with
-- the bounds of the main date, so that searches by it read in the order of dates. Nothing for
-- what has one coding.
create table lead_value (
  rid bigint not null,
  lead bigint not null,
  date_low timestamptz,
  date_high timestamptz
);
create index lead_value_search on lead_value (lead, date_low desc nulls last, rid desc);
create index lead_value_wide on lead_value (lead, date_low desc nulls last, rid desc)
  where date_high - date_low > interval '25:00:00';
create index lead_value_rid on lead_value
  using brin (rid int8_minmax_multi_ops) with (pages_per_range = 16, autosummarize = on);
