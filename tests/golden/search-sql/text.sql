-- Condition?_text=(bone or liver) and metas*
select *, (select pg_current_snapshot()::text || coalesce('/' || pg_current_xact_id_if_assigned()::text, '')) as horizon from (select r.rid, r.type, r.id, r.version, r.last_updated, r.deleted, r.body, r.last_updated as value
 from resource r
 where not r.deleted and r.type = 28
 and (r.rid in (select v.rid from text_value v
 where not v.is_content and v.words @@ $1::tsquery))
 order by r.last_updated desc, r.rid desc limit 51) u
