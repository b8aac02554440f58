do $$
begin
  if not exists (select from pg_roles where rolname = 'bhn_fhir_application') then
    create role bhn_fhir_application login;
  end if;
end
$$
