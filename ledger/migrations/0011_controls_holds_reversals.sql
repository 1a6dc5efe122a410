-- What rules 5 bring: controls on accounts, holds, reversals. A plain payment writes none of these tables.

-- An account may be blocked on one side only, and have limits. `controls` holds the limits and what was counted for them;
-- it is null for nearly all accounts.
alter table account drop constraint account_status_is_known;
alter table account add constraint account_status_is_known
    check (status in ('open', 'frozen', 'debit_frozen', 'credit_frozen', 'closed'));
alter table account add column controls jsonb;
grant update (controls) on account to ledger;

-- Money that is reserved on the debtor's account. `account.held` is the sum of `remaining` over an account's authorised
-- holds. A hold whose `expires_at` has passed counts as ended, though its row says so only once something touches it.
create table hold (
    -- The request that authorised it.
    request_seq bigint constraint hold_pkey primary key constraint hold_request_seq_positive check (request_seq > 0),
    -- Its name.
    client_id text not null,
    payment_id uuid not null,
    -- The accounts, by the requests that opened them.
    debtor_seq bigint not null constraint hold_debtor_seq_fkey references account (opened_seq),
    creditor_seq bigint not null constraint hold_creditor_seq_fkey references account (opened_seq),
    amount numeric not null constraint hold_amount_is_positive check (amount > 0),
    -- What was not captured: it is held as long as the hold is authorised.
    remaining numeric not null constraint hold_remaining_is_within check (remaining between 0 and amount),
    reference text,
    status text not null constraint hold_status_is_known check (status in ('authorised', 'captured', 'voided', 'expired')),
    expires_at timestamptz,
    -- Whether its end by time was announced in the log.
    is_announced boolean not null,
    -- The last request that changed it.
    changed_seq bigint not null,
    constraint hold_id_once unique (payment_id, client_id)
);
-- The holds of an account; those that end first come first.
create index hold_by_debtor on hold (debtor_seq, expires_at) where status = 'authorised';
-- Those whose end is to be announced.
create index hold_to_announce on hold (expires_at)
    where expires_at is not null and not is_announced and status in ('authorised', 'expired');
create trigger hold_is_never_deleted before delete or truncate on hold
    for each statement execute function refuse_change_of_history();
grant select, insert on hold to ledger;
grant update (remaining, status, is_announced, changed_seq) on hold to ledger;
grant select on hold to audit;

-- What was reversed of which payment. The payment's own rows stay as they are.
create table reversal (
    -- The request that reversed it.
    request_seq bigint constraint reversal_pkey primary key
        constraint reversal_request_seq_positive check (request_seq > 0),
    -- The request that booked the payment.
    original_seq bigint not null constraint reversal_original_seq_is_earlier check (original_seq < request_seq),
    amount numeric not null constraint reversal_amount_is_positive check (amount > 0)
);
create index reversal_of_original on reversal (original_seq);
create trigger reversal_is_append_only before update or delete or truncate on reversal
    for each statement execute function refuse_change_of_history();
grant select, insert on reversal to ledger;
grant select on reversal to audit;

-- The walls of postings, as before. A batch may hold money after a payment or lower a limit behind it, and the accounts
-- have the state after the batch; so only the last posting of an account is judged by its limit. The batch of plain
-- payments does not come to that question: none of its postings is beyond the limit.
create or replace function refuse_unbalanced_postings() returns trigger language plpgsql as $$
declare
    offender record;
begin
    select request_seq,
           sum(amount) <> 0 as is_unbalanced,
           count(account.id) < count(*) as is_on_no_account
    into offender
    from added left join account on account.opened_seq = added.account_seq
    group by request_seq, account.currency
    having sum(amount) <> 0
        or count(account.id) < count(*)
        or bool_or(balance - held + overdraft_limit < 0)
    order by count(account.id) = count(*), sum(amount) = 0
    limit 1;
    if not found then
        return null;
    elsif offender.is_on_no_account then
        raise exception 'a posting of request % is on no account', offender.request_seq
            using errcode = 'foreign_key_violation', constraint = 'posting_is_on_an_account', table = 'posting';
    elsif offender.is_unbalanced then
        raise exception 'the postings of request % do not sum to zero', offender.request_seq
            using errcode = 'check_violation', constraint = 'posting_sums_to_zero', table = 'posting';
    end if;
    select request_seq into offender
    from (select distinct on (account_seq) * from added order by account_seq, number desc) as last
    join account on account.opened_seq = last.account_seq
    where balance - held + overdraft_limit < 0
    limit 1;
    if found then
        raise exception 'a posting of request % leaves its account beyond its limit', offender.request_seq
            using errcode = 'check_violation', constraint = 'posting_is_within_the_limit', table = 'posting';
    end if;
    return null;
end $$;
