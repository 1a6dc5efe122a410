-- Batches of payments, for the pages that show one whole. What became of each payment is a row of `payment` too, from the
-- answer on; the two are written in one transaction.
create table payment_batch (
    -- Whose batch it is, and the name that the client chose for it.
    client_id text not null,
    batch_id uuid not null,
    -- The request that this row tells of: the first one that was answered.
    request_seq bigint not null,
    status text not null,
    -- The broker's timestamps of the request and of the answer.
    published_at timestamptz not null,
    decided_at timestamptz,
    -- How many of its payments were booked, refused, and asked for before; so that a list need not read the answers.
    settled integer,
    rejected integer,
    duplicates integer,
    -- The answer, as published.
    answer json,

    constraint payment_batch_pkey primary key (batch_id, client_id),
    constraint payment_batch_request_seq_positive check (request_seq > 0),
    constraint payment_batch_status_known check (status in ('pending', 'answered', 'rejected')),
    constraint payment_batch_answer_unless_pending check ((status = 'pending') = (answer is null))
);
-- For the list of a client's batches, newest first.
create index payment_batch_client_request_seq on payment_batch (client_id, request_seq desc);

grant select, insert, update on payment_batch to payments;
