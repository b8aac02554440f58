-- Rows whose index data is about to be replaced: who read them before, to update them, has
-- lost the race from here on, and who reads them now replaces all of their index rows.
update resource set generation = 0
where rid = any($1) and generation = $2
