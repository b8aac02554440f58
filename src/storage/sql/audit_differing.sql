select w.seq from unnest($2::bigint[], $3::bytea[], $4::timestamptz[]) as w(seq, hash, recorded)
join audit_event e on e.node = $1 and e.seq = w.seq and e.recorded = w.recorded
where e.hash <> w.hash
limit 1
