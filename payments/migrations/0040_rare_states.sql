-- A client's payments in one state are listed without reading all of that client's. Nearly all payments are settled at once,
-- and are not in here: they do not pay for it, and a list of settled ones finds enough wherever it begins.
create index payment_client_state on payment (client_id, status, request_seq desc) where status <> 'settled';
