-- Who the connection acts as and where, and whether that role may create tables.
select current_user::text, current_database()::text,
  has_schema_privilege('public', 'create')
