-- What was asked about a hold or payment later and granted: its captures, voids and reversals. With the hold first, so
-- that its page finds them; the other way the answer of each says what it is about.
--
-- A table of its own, because a column of `payment` that nearly all rows leave empty would be written by every payment.
create table follow_up (
    -- The hold or payment.
    of_client_id text not null,
    of_payment_id uuid not null,
    -- The capture, void or reversal; a void or reversal may be another client's.
    client_id text not null,
    payment_id uuid not null,

    constraint follow_up_pkey primary key (of_client_id, of_payment_id, client_id, payment_id)
);

grant select, insert on follow_up to payments;
