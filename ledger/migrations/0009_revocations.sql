-- Which tokens were revoked, as auth said in the log: each is refused in every later request. A revocation matters for
-- minutes, since no token lives longer, except a key's, which holds for ever. All of them stay, for replays and auditors.
create table revocation (
    -- The request that revoked them.
    request_seq bigint constraint revocation_pkey primary key
        constraint revocation_request_seq_positive check (request_seq > 0),
    -- As in schemas/revocation.requested.v1.json.
    target jsonb not null,
    -- The broker's timestamp of the request.
    published_at timestamptz not null
);

-- A ledger that begins to lead loads what still matters.
create index revocation_published_at on revocation (published_at);
create index revocation_of_key on revocation (request_seq) where target ->> 'kind' = 'key';

create trigger revocation_is_append_only before update or delete or truncate on revocation
    for each statement execute function refuse_change_of_history();

grant select, insert on revocation to ledger;
grant select on revocation to audit;
