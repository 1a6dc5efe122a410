-- Revocations on their way into the log of requests. A row is written in the transaction that ends something here (a login,
-- a person, a program, a key), so neither is without the other; from there the service publishes it until the ledger has
-- answered. Publishing one twice is harmless.

create table revocations (
    -- UUIDv7: in the order in which they were asked for.
    id uuid constraint revocations_pkey primary key,
    -- What is revoked, as it goes into the log.
    target jsonb not null,
    because text not null
        constraint revocations_because_shape check (because ~ '^[a-z_]{1,64}$'),
    requested_at timestamptz not null,
    -- Sequence of the request that the ledger has noted; null until then.
    noted_seq bigint
        constraint revocations_noted_seq_positive check (noted_seq > 0)
);

create index revocations_waiting on revocations (id) where noted_seq is null;

-- Every instance hears of a new one, and may publish it; and of one that the ledger has noted, which somebody may wait for.
create function tell_revocation() returns trigger language plpgsql as $$
begin
    perform pg_notify('revocation', '');
    return null;
end
$$;
create trigger revocations_told after insert or update on revocations
    for each statement execute function tell_revocation();

grant select, insert on revocations to auth;
grant update (noted_seq) on revocations to auth;
