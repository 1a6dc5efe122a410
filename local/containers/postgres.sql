-- The roles and databases of one bank, for the PostgreSQL of compose.yaml: psql runs this once, as the superuser, on a
-- new cluster. `local/src/postgres.rs` makes the same for a bank without containers; a test compares the two.
--
-- Per service a database, owned by <service>_owner (migrations), used by <service> (what the migrations grant).
-- Nobody else may connect to it: payments cannot read the ledger's tables. Only audit may read, and nothing but read,
-- the ledger's.

\set ON_ERROR_STOP on

-- A failing statement is logged, and these have passwords in them.
set log_min_error_statement = panic;

revoke connect on database postgres, template1 from public;

\set password `cat /run/secrets/postgres_auth`
create role auth login password :'password';
\set password `cat /run/secrets/postgres_auth_owner`
create role auth_owner login password :'password';

\set password `cat /run/secrets/postgres_ledger`
create role ledger login password :'password';
\set password `cat /run/secrets/postgres_ledger_owner`
create role ledger_owner login password :'password';

\set password `cat /run/secrets/postgres_payments`
create role payments login password :'password';
\set password `cat /run/secrets/postgres_payments_owner`
create role payments_owner login password :'password';

\set password `cat /run/secrets/postgres_audit`
create role audit login password :'password';

create database auth owner auth_owner;
create database ledger owner ledger_owner;
create database payments owner payments_owner;

revoke all on database auth, ledger, payments from public;
grant connect on database auth to auth;
grant connect on database ledger to ledger, audit;
grant connect on database payments to payments;

\connect auth
alter schema public owner to auth_owner;
revoke all on schema public from public;
grant usage on schema public to auth;

\connect ledger
alter schema public owner to ledger_owner;
revoke all on schema public from public;
grant usage on schema public to ledger, audit;

\connect payments
alter schema public owner to payments_owner;
revoke all on schema public from public;
grant usage on schema public to payments;
