-- A payment's row keeps the request as it was sent until it is answered, and the answer from then on; what stands in
-- one of them stands nowhere else in the row, because nobody asks for payments by it. Every payment is written here, so
-- each column less is time that the answers have.
--
-- The token's `sub` goes too: it was never asked for, and is in the log.
alter table payment add column request json;

update payment
set request = json_build_object(
    'payment_id', payment_id, 'debtor_account', debtor_account, 'creditor_account', creditor_account,
    'amount', amount, 'currency', currency, 'reference', reference)
where status = 'pending';

alter table payment
    -- constraint payment_reason_if_rejected goes with its column
    drop column reason_code,
    drop column reason_message,
    drop column debtor_account,
    drop column creditor_account,
    drop column amount,
    drop column currency,
    drop column reference,
    drop column subject,
    add constraint payment_request_while_pending check ((status = 'pending') = (request is not null));
