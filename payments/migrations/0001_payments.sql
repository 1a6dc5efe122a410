-- The projection of the two logs: what a client may ask about its payments without asking the ledger.
--
-- Nothing here is the truth. REQUESTS and SETTLEMENTS are, and all of this can be dropped and read from them again.
-- Only the projection's loop writes here; submitting a payment over HTTP writes to the broker and to nothing else.

-- One row per payment: the request as it was sent until the ledger has answered it, the answer from then on.
-- An answer may be projected before its request, because nothing keeps the two logs in step with each other.
create table payment (
    -- Whose payment it is; from the subject, which the broker guards.
    client_id text not null,
    -- Chosen by the client, so that it names a payment only together with the client.
    payment_id uuid not null,
    -- The request that this row tells of: the first one, unless a later one with the same id was settled.
    request_seq bigint not null,
    status text not null,
    -- ISO 20022 code and sentence; only of a rejected payment.
    reason_code text,
    reason_message text,
    debtor_account uuid,
    creditor_account uuid,
    -- Texts as they stand on the wire: a rejected amount may be no number and a rejected currency none of ISO 4217.
    amount text,
    currency text,
    reference text,
    -- The `sub` that the token of the request claims. The ledger has verified it if the payment is settled; of a
    -- pending or rejected payment nobody has. Null when the answer came first or the token can't be read.
    subject text,
    -- The broker's timestamp of the request.
    published_at timestamptz not null,
    -- The broker's timestamp of the answer.
    decided_at timestamptz,
    -- The settlement event, byte for byte as published; null while pending. It is json, not jsonb, because jsonb knows
    -- no \u0000, and what a client may send must not stop the projection.
    answer json,

    constraint payment_pkey primary key (client_id, payment_id),
    constraint payment_request_seq_positive check (request_seq > 0),
    constraint payment_status_known check (status in ('pending', 'settled', 'rejected')),
    constraint payment_answer_unless_pending check ((status = 'pending') = (answer is null)),
    constraint payment_decided_unless_pending check ((status = 'pending') = (decided_at is null)),
    constraint payment_reason_if_rejected check ((status = 'rejected') = (reason_code is not null))
);

-- For the list of a client's payments, newest first.
create index payment_client_request_seq on payment (client_id, request_seq desc);

-- How far each log has been projected. It moves in the same transaction as the rows above and only from the place where
-- the writer believes it to be, so that two instances never project a message twice.
create table cursor (
    stream text not null,
    -- The last sequence that is projected; 0 when none is.
    seq bigint not null default 0,

    constraint cursor_pkey primary key (stream),
    constraint cursor_stream_known check (stream in ('REQUESTS', 'SETTLEMENTS')),
    constraint cursor_seq_not_negative check (seq >= 0)
);
insert into cursor (stream) values ('REQUESTS'), ('SETTLEMENTS');

-- The public keys that the ledger has noted; tokens are verified with these. Never removed: the log still holds them.
create table signing_key (
    -- RFC 7638 thumbprint.
    kid text not null,
    -- The `iss` of every token that it signs.
    issuer text not null,
    -- RSA modulus and public exponent, base64url.
    n text not null,
    e text not null,

    constraint signing_key_pkey primary key (kid)
);

-- The service itself works as a role that can't delete, truncate or alter anything.
grant usage on schema public to payments;
grant select, insert, update on payment to payments;
grant select, update on cursor to payments;
grant select, insert on signing_key to payments;
