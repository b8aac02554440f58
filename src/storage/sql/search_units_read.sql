-- binds: whether all are wanted, codes or texts, dimensions
select u.unit, u.system, u.code, u.text from unit u
where $1 or u.code = any($2) or u.text = any($2) or u.dimension = any($3)
