-- Who may act, and how they prove it. Nothing in here can be used as it stands: passwords are argon2id hashes, secrets are
-- SHA-256 digests of 256 random bits, private keys are sealed under a key that is not in this database, and refresh
-- tokens are not kept at all, only the id of the one that is still good.
--
-- The owner of the tables (auth_owner) migrates; the service works as `auth` and may delete nothing.

-- People.
create table users (
    id uuid constraint users_pkey primary key,
    -- As it is typed to log in. The domain is lower case, as Django keeps it.
    email text not null
        constraint users_email_shape check (email = btrim(email) and length(email) between 3 and 254),
    username text not null
        constraint users_username_length check (length(username) between 1 and 254),
    -- A PHC string: $argon2id$v=19$m=…
    password_hash text not null
        constraint users_password_hash_shape check (password_hash like '$argon2id$%'),
    is_active boolean not null,
    is_staff boolean not null,
    role text not null
        constraint users_role_known check (role in ('customer', 'staff')),
    -- What a token of this person allows, separated by single spaces. A copy of the role's, so that it can be edited.
    scopes text not null
        constraint users_scopes_shape check (scopes ~ '^[a-z:-]+( [a-z:-]+)*$'),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_login_at timestamptz
);

-- Two people whose addresses differ in case only would be one person to everybody but this table.
create unique index users_email_unique on users (lower(email));

-- Programs: producers and subscribers. They have a login at the broker and a durable consumer of the same name.
create table service_accounts (
    client_id text constraint service_accounts_pkey primary key
        constraint service_accounts_client_id_shape check (client_id ~ '^[A-Za-z0-9_-]{1,64}$')
        -- `user-<uuid>` is what a person is called, the others are our own services.
        constraint service_accounts_client_id_free check (
            client_id not like 'user-%' and client_id not in ('auth', 'ledger', 'payments', 'audit')
        ),
    -- SHA-256. A slow hash is for passwords that people choose; this secret is 256 random bits.
    secret_hash bytea not null
        constraint service_accounts_secret_hash_length check (octet_length(secret_hash) = 32),
    scopes text not null
        constraint service_accounts_scopes_shape check (scopes ~ '^[a-z:-]+( [a-z:-]+)*$'),
    is_active boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- The running service hears of a new account, whoever made it, and gives it its consumer.
create function tell_service_account() returns trigger language plpgsql as $$
begin
    perform pg_notify('service_account', new.client_id);
    return null;
end
$$;
create trigger service_accounts_told after insert on service_accounts
    for each row execute function tell_service_account();

-- The keys that sign tokens. A key is used only after it stands in the log of requests, so that everybody who reads the
-- log meets the key before the first token it signed.
create table signing_keys (
    -- RFC 7638 thumbprint of the public half.
    kid text constraint signing_keys_pkey primary key
        constraint signing_keys_kid_shape check (kid ~ '^[A-Za-z0-9_-]{43}$'),
    -- The `iss` of the tokens that it signs, announced with it.
    issuer text not null,
    -- Public half: modulus and exponent, base64url.
    n text not null,
    e text not null,
    -- Private half: 12 bytes of nonce, then PKCS#8 under AES-256-GCM; the kid is authenticated with it, so that a row
    -- can't be given another row's key.
    private_sealed bytea not null
        constraint signing_keys_private_sealed_length check (octet_length(private_sealed) > 28),
    state text not null
        constraint signing_keys_state_known check (state in ('active', 'retired')),
    created_at timestamptz not null,
    -- Sequence of its announcement in REQUESTS; null until the ledger has answered it.
    announced_seq bigint
        constraint signing_keys_announced_seq_positive check (announced_seq > 0)
);

-- Two instances that start at once agree on one key: the second insert finds this taken.
create unique index signing_keys_one_active on signing_keys (state) where state = 'active';

-- One row per login: a family of refresh tokens, of which one is good. Using it makes its successor in the same
-- statement, so two uses can't both succeed; a token that is not the good one was used before, which ends the family.
create table refresh_families (
    id uuid constraint refresh_families_pkey primary key,
    user_id uuid not null
        constraint refresh_families_user references users (id),
    -- The `jti` of the good token.
    jti text not null
        constraint refresh_families_jti_shape check (jti ~ '^[0-9a-f]{32}$'),
    -- How many tokens were before it.
    generation integer not null
        constraint refresh_families_generation_positive check (generation >= 0),
    created_at timestamptz not null,
    refreshed_at timestamptz not null,
    -- However often it is refreshed, the person logs in again after this.
    ends_at timestamptz not null,
    revoked_at timestamptz,
    revoked_because text
        constraint refresh_families_revoked_because_known check (revoked_because in ('reused')),
    constraint refresh_families_revoked_for_a_reason check ((revoked_at is null) = (revoked_because is null))
);

create index refresh_families_of_user on refresh_families (user_id) where revoked_at is null;

grant select, insert, update on users, service_accounts to auth;
grant select, insert on signing_keys to auth;
grant update (announced_seq) on signing_keys to auth;
grant select, insert on refresh_families to auth;
grant update (jti, generation, refreshed_at, revoked_at, revoked_because) on refresh_families to auth;
