-- Batches of payments: many payments in one request, with one answer. A plain payment writes none of this.

-- Which payment of a batch a posting is booked for, from 0; null for everything that came alone. A null takes no room.
alter table posting add column item smallint constraint posting_item_is_within check (item between 0 and 999);

-- The payment ids that batches used up. An answer's own column holds those that came alone. The ledger asks here only at a
-- bank that has had a batch.
create table batch_payment (
    payment_id uuid not null,
    client_id text not null,
    -- The batch, and which payment of it, from 0.
    request_seq bigint not null,
    item smallint not null constraint batch_payment_item_is_within check (item between 0 and 999),
    -- SHA-256 of what was asked for, in one spelling, as `answer.content`.
    content bytea not null,
    status text not null constraint batch_payment_status_is_known check (status in ('settled', 'rejected')),
    -- Why it was rejected.
    reason text,
    constraint batch_payment_pkey primary key (payment_id, client_id)
);
create trigger batch_payment_is_append_only before update or delete or truncate on batch_payment
    for each statement execute function refuse_change_of_history();
grant select, insert on batch_payment to ledger;
grant select on batch_payment to audit;

-- Which payment of a batch was reversed, from 0.
alter table reversal add column original_item smallint
    constraint reversal_original_item_is_within check (original_item between 0 and 999);
