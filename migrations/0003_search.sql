-- `system|` without a code.
create index token_system on token (system);

-- Searches by a main coding show the newest first; what has no date stands last.
drop index resource_lead;
create index resource_lead on resource (lead, date_low desc nulls last) where lead is not null;
