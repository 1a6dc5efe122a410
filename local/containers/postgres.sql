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
create role auth login connection limit 45 password :'password';
\set password `cat /run/secrets/postgres_auth_owner`
create role auth_owner login connection limit 5 password :'password';

\set password `cat /run/secrets/postgres_ledger`
create role ledger login connection limit 45 password :'password';
\set password `cat /run/secrets/postgres_ledger_owner`
create role ledger_owner login connection limit 5 password :'password';

\set password `cat /run/secrets/postgres_payments`
create role payments login connection limit 45 password :'password';
\set password `cat /run/secrets/postgres_payments_owner`
create role payments_owner login connection limit 5 password :'password';

\set password `cat /run/secrets/postgres_audit`
create role audit login connection limit 10 password :'password';

create database auth owner auth_owner;
create database ledger owner ledger_owner;
create database payments owner payments_owner;

revoke all on database auth, ledger, payments from public;
grant connect on database auth to auth;
grant connect on database ledger to ledger, audit;
grant connect on database payments to payments;

-- Advisory locks (the leader's is one) and large objects are nobody's, but those who migrate or lead lock.
create function pg_temp.close_functions(lockers text) returns void language plpgsql as $$
declare
    f regprocedure;
begin
    for f in select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
        and (proname ~ '^pg_(try_)?advisory_' or proname ~ '^lo_' or proname in ('loread', 'lowrite'))
    loop
        execute format('revoke execute on function %s from public', f);
        if f::text ~ 'advisory_' then
            execute format('grant execute on function %s to ' || lockers, f);
        end if;
    end loop;
end $$;

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
