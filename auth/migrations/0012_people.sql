-- What people prove themselves with besides a password.

-- Second factors: a secret that a person's authenticator makes codes from (RFC 6238).
create table second_factors (
    user_id uuid constraint second_factors_pkey primary key
        constraint second_factors_user references users (id),
    -- 12 bytes of nonce, then the secret under AES-256-GCM. The person's id is authenticated with it, so that a row can't be
    -- given another row's secret.
    secret_sealed bytea not null
        constraint second_factors_secret_sealed_length check (octet_length(secret_sealed) > 28),
    started_at timestamptz not null,
    -- Asked for at log-in from then on. Before it the person has not shown that the authenticator has the secret.
    confirmed_at timestamptz,
    -- The 30 s (counted since 1970) of the last code that was used: neither it nor an earlier one passes again.
    last_step bigint,
    constraint second_factors_confirmed_with_a_code check (confirmed_at is null or last_step is not null)
);

-- What stands in for a lost authenticator, each once. A slow hash is for passwords that people choose; a code is 80 random
-- bits.
create table recovery_codes (
    user_id uuid not null
        constraint recovery_codes_second_factor references second_factors (user_id) on delete cascade,
    code_sha256 bytea not null
        constraint recovery_codes_code_sha256_length check (octet_length(code_sha256) = 32),
    used_at timestamptz,
    constraint recovery_codes_pkey primary key (user_id, code_sha256)
);

-- A second factor that is taken away is deleted: its secret may be in use nowhere else, and must open nothing later.
grant select, insert, delete on second_factors to auth;
grant update (secret_sealed, started_at, confirmed_at, last_step) on second_factors to auth;
grant select, insert on recovery_codes to auth;
grant update (used_at) on recovery_codes to auth;

-- Codes that are used once, by whoever was given one: an invitation makes a person, a reset sets a new password. A slow hash
-- is for passwords that people choose; a code is 160 random bits.
create table one_time_codes (
    code_sha256 bytea constraint one_time_codes_pkey primary key
        constraint one_time_codes_code_sha256_length check (octet_length(code_sha256) = 32),
    -- Of an invitation: whom it makes.
    email text
        constraint one_time_codes_email_length check (length(email) between 3 and 254),
    role text
        constraint one_time_codes_role_known check (role in ('customer', 'staff', 'admin')),
    -- Of a reset: whose password it sets.
    user_id uuid
        constraint one_time_codes_user references users (id),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    -- Used, or followed by another.
    ended_at timestamptz,
    constraint one_time_codes_invitation_or_reset check (
        (email is null) = (role is null) and (email is null) <> (user_id is null)
    )
);

create index one_time_codes_invitations on one_time_codes (lower(email)) where ended_at is null;
create index one_time_codes_resets on one_time_codes (user_id) where ended_at is null;

grant select, insert on one_time_codes to auth;
grant update (ended_at) on one_time_codes to auth;
