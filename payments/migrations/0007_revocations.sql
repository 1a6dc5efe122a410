-- Which tokens were revoked, as the ledger has noted it: callers with one are turned away before they reach the log. Never
-- removed: a key's revocation holds for ever, and the others are few.
create table revocation (
    -- The answer that noted it.
    request_seq bigint not null,
    -- As in schemas/revocation.answered.v1.json.
    target jsonb not null,
    -- The broker's timestamp of the request.
    published_at timestamptz not null,

    constraint revocation_pkey primary key (request_seq),
    constraint revocation_request_seq_positive check (request_seq > 0)
);

create index revocation_published_at on revocation (published_at);
create index revocation_of_key on revocation (request_seq) where target ->> 'kind' = 'key';

grant select, insert on revocation to payments;

-- By which rules the log is decided: the highest version that the ledger has raised. From version 4 on, a request needs a
-- token for the log. A service that knew only older rules stopped at that raise, so none is missing here.
create table rules_raised (
    version integer not null,
    -- The answer that raised them.
    request_seq bigint not null,

    constraint rules_raised_pkey primary key (version),
    constraint rules_raised_version_positive check (version > 0)
);

grant select, insert on rules_raised to payments;
