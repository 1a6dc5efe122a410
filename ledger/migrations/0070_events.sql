-- What operators did beside the log, for auditors: replays and files. What they asked of the books stands in the log. Rows are
-- added and never changed; no token is in one. Nothing here is needed to decide, so a replay does not bring it back.
create table event (
    id bigint generated always as identity constraint event_pkey primary key,
    at timestamptz not null,
    -- As in `replay.started`.
    what text not null constraint event_what_shape check (what ~ '^[a-z_]+\.[a-z_]+$'),
    -- `client_id` of who did it.
    actor text not null,
    -- The replay or the file.
    about text not null,
    detail jsonb not null
);
create index event_about on event (about, id);
create index event_actor on event (actor, id);
create trigger event_is_append_only before update or delete or truncate on event
    for each statement execute function refuse_change_of_history();
grant select, insert on event to ledger;
