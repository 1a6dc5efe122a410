-- How often somebody tried to log in, so that passwords can't be guessed and one attacker does not take everybody's turn.
-- All instances of the service count here. The keys are hashes: rows are small, and what a person typed into the wrong field
-- is not in them. Rows that no longer matter are deleted by the service, so the tables stay as long as an hour's logins
-- (those of a day for accounts under attack, of 30 days for the places that people really log in from).
--
-- These two tables are no books: the service writes them without waiting for the disk, and a power failure may forget the
-- last second.

-- Wrong tries at one account. An account has one row for all places that it was never logged in from, and one for each
-- place that it was: an attacker elsewhere can't lock its owner out.
create table login_tries (
    -- SHA-256 of the account's name, or of that and the place.
    key bytea constraint login_tries_pkey primary key
        constraint login_tries_key_length check (octet_length(key) = 32),
    -- Tries that were let through and not right, the ones under way included.
    failures integer not null
        constraint login_tries_failures_positive check (failures >= 0),
    -- When counting began.
    since timestamptz not null,
    -- No try is let through before this.
    locked_until timestamptz,
    -- The failures are forgotten then.
    counted_until timestamptz not null,
    -- The account was logged in from this place not long ago; null for the row of all other places.
    known_until timestamptz
);

-- What the clients of one address (IPv6: of one /64) have used of their share of tries: the time until which it is paid for.
-- A try adds a second, a right one takes it off again.
create table login_addresses (
    key bytea constraint login_addresses_pkey primary key
        constraint login_addresses_key_length check (octet_length(key) = 32),
    paid_until timestamptz not null
);

-- What auditors look for, the newest first.
create index events_what on events (what, id);

grant select, insert, update, delete on login_tries, login_addresses to auth;
