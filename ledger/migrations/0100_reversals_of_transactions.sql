-- What rules 6 bring: a transaction is reversed whole, and has no one amount.
-- A long reader must not make payments wait: this gives up after five seconds. Run it again then.
set local lock_timeout = '5s';
create unique index reversal_of_transaction_once on reversal (original_seq) where amount is null;
alter table reversal alter column amount drop not null;
comment on column reversal.amount is 'Null when a transaction is reversed: all its postings are booked back.';
