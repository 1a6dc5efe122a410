-- Keys that rotate. A key is `pending` until the ledger has noted it and verifiers have had the time to fetch it, then
-- `active`: it signs. Its successor makes it `retiring`, and when its last tokens are over it is `retired`. One that may be
-- known to somebody else is `revoked` at once. Private halves go when nothing can need them; public ones stay for ever.

alter table signing_keys drop constraint signing_keys_state_known;
alter table signing_keys add constraint signing_keys_state_known
    check (state in ('pending', 'active', 'retiring', 'retired', 'revoked'));
alter table signing_keys
    alter column private_sealed drop not null,
    -- From then on a pending key may sign.
    add column activates_at timestamptz,
    add column activated_at timestamptz,
    -- It stopped signing.
    add column retiring_at timestamptz,
    -- Its last tokens are over.
    add column retires_at timestamptz,
    add column revoked_at timestamptz,
    -- Another system's, for the tokens that it left behind: only its public half is here, and the log does not know it.
    add column is_imported boolean not null default false,
    -- A revoked key keeps its private half until the ledger has noted its successor, for which it vouches.
    add constraint signing_keys_private_while_needed check (
        case state
            when 'pending' then private_sealed is not null and activates_at is not null
            when 'active' then private_sealed is not null
            when 'retiring' then (private_sealed is null) = is_imported and retires_at is not null
            when 'retired' then private_sealed is null
            when 'revoked' then revoked_at is not null
        end
    );
update signing_keys set activated_at = created_at;

create unique index signing_keys_one_pending on signing_keys (state) where state = 'pending';

-- Whoever takes a key from one state to the next locks this row first, so that several instances do it one after the other.
create table signing_key_lock (
    only_row boolean constraint signing_key_lock_pkey primary key default true
        constraint signing_key_lock_only_row check (only_row)
);
insert into signing_key_lock default values;

-- A key never comes back, whatever a service does.
create function refuse_signing_key_backwards() returns trigger language plpgsql as $$
begin
    if array_position(array['pending', 'active', 'retiring', 'retired', 'revoked'], new.state)
        < array_position(array['pending', 'active', 'retiring', 'retired', 'revoked'], old.state)
    then
        raise exception 'signing key % is % and never becomes % again', old.kid, old.state, new.state
            using errcode = 'check_violation';
    end if;
    if old.private_sealed is null and new.private_sealed is not null then
        raise exception 'the private half of signing key % is gone', old.kid using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger signing_keys_forward before update on signing_keys
    for each row execute function refuse_signing_key_backwards();

-- Every instance hears of it.
create function tell_signing_key() returns trigger language plpgsql as $$
begin
    perform pg_notify('signing_key', '');
    return null;
end
$$;
create trigger signing_keys_told after insert or update on signing_keys
    for each statement execute function tell_signing_key();

grant update (state, private_sealed, activates_at, activated_at, retiring_at, retires_at, revoked_at) on signing_keys to auth;
-- Nothing is updated; PostgreSQL asks for it of whoever locks rows.
grant select, update (only_row) on signing_key_lock to auth;
