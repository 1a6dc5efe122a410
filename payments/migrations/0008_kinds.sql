-- Not only payments: holds, captures, voids, reversals and transactions have an id of the same kind, and a row each. What becomes of a
-- hold or a payment later (captured, voided, expired, reversed) is written into its own row.
alter table payment
    -- What was asked for. Null for a payment, which nearly all are.
    add column kind text constraint payment_kind_known check (kind in ('hold', 'capture', 'void', 'reversal',
        'transaction')),
    -- Of a hold what is still held, of a payment what can still be reversed, once some of it was captured or reversed.
    add column remaining text,
    drop constraint payment_status_known,
    add constraint payment_status_known check (status in ('pending', 'settled', 'rejected', 'authorised', 'captured',
        'voided', 'reversed', 'expired'));
