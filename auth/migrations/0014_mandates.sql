-- Mandates: a person lets a program pay in their name while they are away, within limits, until they say otherwise. A token
-- that is issued under one names both, and the mandate (`sid`), so ending it ends its tokens and no others.

create table mandates (
    id uuid constraint mandates_pkey primary key,
    -- Who pays.
    user_id uuid not null
        constraint mandates_user references users (id),
    -- Which program acts: a service account, or our own service `payments`, which makes scheduled payments.
    client_id text not null
        constraint mandates_client_id_shape check (client_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    -- The most that one payment may move: an object of decimal texts by currency. Anything when null.
    payment_max jsonb
        constraint mandates_payment_max_object check (jsonb_typeof(payment_max) = 'object'),
    -- The only accounts that may be debited; all that the person may when null.
    accounts uuid[]
        constraint mandates_accounts_few check (cardinality(accounts) between 1 and 20),
    created_at timestamptz not null,
    -- It ends by itself then.
    expires_at timestamptz,
    ended_at timestamptz
);

create index mandates_of_user on mandates (user_id, created_at desc) where ended_at is null;

create index mandates_of_client on mandates (client_id) where ended_at is null;

grant select, insert on mandates to auth;
grant update (ended_at) on mandates to auth;
