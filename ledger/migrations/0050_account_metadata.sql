-- What whoever opened an account noted about it: up to 20 texts by name, which the bank does not interpret. Null when there
-- is nothing, as for nearly all accounts.
alter table account add column metadata jsonb
    constraint account_metadata_is_a_map check (jsonb_typeof(metadata) = 'object');
