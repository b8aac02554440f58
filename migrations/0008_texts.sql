-- Texts of coded values, for `:text`: without case and accents, the first 800 bytes.
create sequence coded_text_id;
create table coded_text (
  text bigint primary key default nextval('coded_text_id'),
  folded text collate "C" not null
);
create unique index coded_text_folded on coded_text (folded);

-- What a coded value is called where it was first seen; 0 for nothing. A resource that calls it
-- otherwise says so among its keys. Rows are never changed.
create table token_text (
  token bigint primary key,
  text bigint not null
);
create index token_text_text on token_text (text) where text > 0;

-- Ids of texts, in the order given; new ones are inserted sorted.
create function intern_texts(texts text[]) returns bigint[] language plpgsql as $$
declare
  found bigint[];
begin
  insert into coded_text (folded)
  select distinct w.folded from unnest(texts) as w(folded)
  where not exists (select from coded_text t where t.folded = w.folded)
  order by w.folded
  on conflict (folded) do nothing;
  select array_agg(t.text order by w.n) into found
  from unnest(texts) with ordinality as w(folded, n)
  join coded_text t on t.folded = w.folded;
  return found;
end
$$;

-- Ids of coded values, as intern_tokens gives them, and what they are called: null where that
-- is not known. A display of null says nothing about it, '' that it is called nothing.
create function intern_coded(
  systems text[], codes text[], displays text[], folded text[],
  out tokens bigint[], out texts bigint[]
) language plpgsql as $$
begin
  tokens := intern_tokens(systems, codes, displays);
  perform intern_texts(array(select f from unnest(folded) f where f <> ''));
  insert into token_text (token, text)
  select distinct on (w.token) w.token, coalesce(t.text, 0)
  from unnest(tokens, folded) as w(token, folded)
  left join coded_text t on t.folded = w.folded
  where w.folded is not null
    and not exists (select from token_text k where k.token = w.token)
  order by w.token, t.text
  on conflict (token) do nothing;
  select array_agg(k.text order by w.n) into texts
  from unnest(tokens) with ordinality as w(token, n)
  left join token_text k on k.token = w.token;
end
$$;

-- What is only ever added to.
create or replace function application_privileges(relation name, kind "char") returns text
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select case
    when kind = 'S' then 'usage'
    when kind in ('v', 'm') then 'select'
    when relation in ('_sqlx_migrations', 'store_epoch') then 'select'
    when relation in (
      'resource_type', 'parameter', 'body_dictionary', 'server_key', 'resource_history', 'token',
      'unit', 'coded_text', 'token_text'
    ) then 'insert, select'
    else 'delete, insert, select, update'
  end
$$;

-- The rids at the end of a hierarchy, where they are no more than so many.
create function at_most(rids bigint[], most integer) returns bigint[]
language plpgsql immutable as $$
begin
  if cardinality(rids) > most then
    raise exception using errcode = 'BHN01', message = most::text;
  end if;
  return rids;
end
$$;
