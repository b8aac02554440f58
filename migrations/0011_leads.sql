-- The lead of a row is `type << 48 | token id`, so that it says the type as well: rows of a code
-- are counted by the index alone, and the planner knows how many there are. Index data is made
-- anew by the reindex that the next start of a server runs.

-- A quantity is looked for among those of one code: of a glucose, not of all that is measured
-- in mg/dL. 0 where the row has no lead.
truncate quantity_value;
alter table quantity_value add column lead bigint not null;
drop index quantity_value_search;
create index quantity_value_search on quantity_value (parameter, lead, unit, low, high, rid);

-- The leads of a parameter's quantities, each found by one descent of the index.
create function quantity_leads(wanted smallint) returns setof bigint
language sql stable rows 100 as $$
  with recursive found (lead) as (
    (select lead from quantity_value where parameter = wanted order by lead limit 1)
    union all
    select (
      select v.lead from quantity_value v where v.parameter = wanted and v.lead > found.lead
      order by v.lead limit 1
    ) from found where found.lead is not null
  )
  select lead from found where lead is not null
$$;

create index quantity_value_wide on quantity_value (parameter, lead, unit, low, high, rid)
  where low < high;
-- What the three say together, they do not say each for itself.
create statistics quantity_value_kind (dependencies, mcv) on parameter, lead, unit
  from quantity_value;

-- Rows of a type by their main date; and those whose date is long, which a search for what
-- reaches an instant does not find by where they begin.
create index resource_date on resource (type, date_low desc nulls last);
create index resource_date_wide on resource (type, date_low desc nulls last)
  where date_high - date_low > interval '25:00:00';
create index resource_lead_wide on resource (lead, date_low desc nulls last)
  where date_high - date_low > interval '25:00:00' and lead is not null;
