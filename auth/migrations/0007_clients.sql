-- Service accounts prove themselves with credentials, of which two may overlap: a new one is in use before the old one is
-- deleted. A token names the credential that it was issued for (`sid`), so deleting one ends its tokens and no others.

-- A deleted account stays, since its payments name it, and never acts again.
alter table service_accounts
    add column name text
        constraint service_accounts_name_length check (length(name) between 1 and 140),
    -- The only audience that its tokens may have; both when null.
    add column audience text
        constraint service_accounts_audience_known check (audience in ('quittance', 'quittance-log')),
    -- The most that one payment may move: an object of decimal texts by currency. Anything when null.
    add column payment_max jsonb
        constraint service_accounts_payment_max_object check (jsonb_typeof(payment_max) = 'object'),
    -- The only accounts that may be debited; all that the scopes allow when null.
    add column accounts uuid[]
        constraint service_accounts_accounts_few check (cardinality(accounts) between 1 and 20),
    add column deleted_at timestamptz,
    add constraint service_accounts_deleted_is_inactive check (deleted_at is null or not is_active);

create table client_credentials (
    -- The `sid` of the tokens that are issued for it.
    id uuid constraint client_credentials_pkey primary key,
    client_id text not null
        constraint client_credentials_client references service_accounts (client_id),
    -- Two places for living credentials: a third finds none.
    slot smallint not null
        constraint client_credentials_slot_known check (slot in (1, 2)),
    kind text not null
        constraint client_credentials_kind_known check (kind in ('secret', 'key')),
    -- Of a secret. A slow hash is for passwords that people choose; a secret is 256 random bits.
    secret_sha256 bytea
        constraint client_credentials_secret_sha256_length check (octet_length(secret_sha256) = 32),
    -- Of a key: its public half, as RFC 7638 thumbprint, modulus and exponent.
    kid text
        constraint client_credentials_kid_shape check (kid ~ '^[A-Za-z0-9_-]{43}$'),
    n text,
    e text,
    created_at timestamptz not null,
    -- It proves nothing from then on.
    expires_at timestamptz,
    -- To the minute: tokens are asked for more often than this is written.
    last_used_at timestamptz,
    deleted_at timestamptz,
    constraint client_credentials_secret_or_key check (
        (kind = 'secret') = (secret_sha256 is not null)
        and (kind = 'key') = (kid is not null)
        and (kid is null) = (n is null)
        and (kid is null) = (e is null)
    )
);

create unique index client_credentials_two_at_most on client_credentials (client_id, slot) where deleted_at is null;

-- What service accounts prove themselves with today goes on proving it.
insert into client_credentials (id, client_id, slot, kind, secret_sha256, created_at)
    select gen_random_uuid(), client_id, 1, 'secret', secret_hash, updated_at from service_accounts;
alter table service_accounts drop column secret_hash;

-- Signed assertions that were used (RFC 7523): each counts once. A row is needed until its assertion has expired, and is
-- deleted then.
create table client_assertions (
    client_id text not null
        constraint client_assertions_client references service_accounts (client_id),
    jti text not null
        constraint client_assertions_jti_length check (length(jti) between 1 and 255),
    expires_at timestamptz not null,
    constraint client_assertions_pkey primary key (client_id, jti)
);

create index client_assertions_expired on client_assertions (expires_at);

grant select, insert on client_credentials to auth;
grant update (last_used_at, deleted_at) on client_credentials to auth;
grant select, insert, delete on client_assertions to auth;
-- Nothing is updated; PostgreSQL asks for it of whoever locks rows before it deletes them.
grant update (expires_at) on client_assertions to auth;

-- A program's id is the `sub` of its tokens, and a person's UUID is another's: a program that was called like one would own
-- that person's accounts. Older rows are not looked at.
alter table service_accounts add constraint service_accounts_client_id_no_uuid check (
    client_id !~* '^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$'
) not valid;

-- Auth asks of each token at its own API whether it was revoked.
create index revocations_of_tokens on revocations ((target ->> 'jti')) where target ->> 'kind' = 'token';
