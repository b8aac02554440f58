-- binds: client, what is unique of the proof, until when it is remembered; no row where it was used
-- before. Nobody waits for the disk: of a server that fails the last moment is forgotten, and a
-- proof is good for a minute.
with written as (select set_config('synchronous_commit', 'off', true))
insert into assertion_jti (client, jti, expires) select $1, $2, $3 from written
on conflict do nothing
