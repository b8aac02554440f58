-- A counter that does not grow is of a copy; authenticators that do not count say 0 always.
update passkey set counter = $2, used = $3
where id = $1 and (counter < $2 or (counter = 0 and $2 = 0))
