-- binds: whether all are wanted, codes or texts, dimensions; parameters, leads
-- `led`: those of the parameters by which rows of these leads have a value in the unit
select u.unit, u.system, u.code, u.text, array(
  select p.parameter from unnest($4::smallint[]) as p(parameter)
  where exists (
    select from quantity_value v
    where v.parameter = p.parameter and v.lead = any($5) and v.unit = u.unit
  )
) as led
from unit u
where $1 or u.code = any($2) or u.text = any($2) or u.dimension = any($3)
