-- By which rules requests are decided: by the highest version that was raised before. A ledger raises them with a request
-- in the log, so that a replay decides every request as it was decided then. `ledger/src/core/rules.rs` says what each
-- version changed.
create table rules_raised (
    version integer constraint rules_raised_pkey primary key
        constraint rules_raised_version_is_positive check (version > 0),
    -- The request that raised them; they hold for every later one.
    raised_seq bigint not null
);
-- Every log begins with the first.
insert into rules_raised (version, raised_seq) values (1, 0);

create trigger rules_raised_is_append_only before update or delete or truncate on rules_raised
    for each statement execute function refuse_change_of_history();

grant select, insert on rules_raised to ledger;
grant select on rules_raised to audit;
