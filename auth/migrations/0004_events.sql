-- What happened in auth, for auditors: who did what to whom. Rows are added and never changed; no secret and no token is in
-- one.

create table events (
    id bigint generated always as identity constraint events_pkey primary key,
    at timestamptz not null,
    -- As in `user.logged_in`.
    what text not null
        constraint events_what_shape check (what ~ '^[a-z_]+\.[a-z_]+$'),
    -- `client_id` of who did it; null when nobody was logged in.
    actor text,
    -- Whom or what it is about: a person's id, a service account's, a key's, a session's.
    about text,
    -- More, such as the address it came from.
    detail jsonb not null
);

create index events_about on events (about, id);
create index events_actor on events (actor, id);

grant select, insert on events to auth;
