-- Postings say nothing twice. Half of the work that a payment is to this database was writing postings, and each repeated
-- its account's UUID and currency, and the side as a word beside the sign.
--
-- An account is named by `opened_seq`, the request that opened it; its row has the rest. The amount is signed: debits are
-- positive, credits negative, and a transaction sums to zero. The one index is the account's statement. What a request
-- booked stands in its answer, so nothing looks for postings by request.
--
-- On an existing bank this copies all postings, some seconds for each million, with `account` and `posting` locked; the
-- disk holds both tables until it commits.
alter table account add constraint account_opened_seq_once unique (opened_seq);

alter table posting rename to wide_posting;

create table posting (
    -- The account's `opened_seq`.
    account_seq bigint not null,
    -- Which posting of its account it is, from 1 without a gap.
    number bigint not null constraint posting_number_is_positive check (number > 0),
    -- The request that it was booked for.
    request_seq bigint not null,
    -- Above zero for a debit, below zero for a credit.
    amount numeric not null constraint posting_amount_is_not_zero check (amount <> 0),
    -- The account's balance after it, on the account's normal side.
    balance numeric not null,
    -- The value date that the request named, if it is not the day (UTC) of the request. Kept from rules 2 on.
    effective_date date
);
insert into posting (account_seq, number, request_seq, amount, balance)
select account.opened_seq, number, request_seq, case direction when 'debit' then amount else -amount end, balance
from wide_posting join account on account.id = account_id and account.currency = wide_posting.currency
order by request_seq, line;

-- A bank whose history does not hold together is not carried over.
do $$
begin
    if (select count(*) from posting) <> (select count(*) from wide_posting) then
        raise exception 'a posting is on no account of its currency';
    elsif exists (
        select from posting join account on opened_seq = account_seq group by request_seq, currency having sum(amount) <> 0
    ) then
        raise exception 'the postings of a request do not sum to zero';
    end if;
end $$;
drop table wide_posting;

alter table posting add constraint posting_number_once primary key (account_seq, number);

-- The walls, as before: whole transactions, on accounts that exist, within their limits.
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
    order by count(account.id) = count(*)
    limit 1;
    if not found then
        return null;
    elsif offender.is_on_no_account then
        raise exception 'a posting of request % is on no account', offender.request_seq
            using errcode = 'foreign_key_violation', constraint = 'posting_is_on_an_account', table = 'posting';
    elsif offender.is_unbalanced then
        raise exception 'the postings of request % do not sum to zero', offender.request_seq
            using errcode = 'check_violation', constraint = 'posting_sums_to_zero', table = 'posting';
    else
        raise exception 'a posting of request % leaves its account beyond its limit', offender.request_seq
            using errcode = 'check_violation', constraint = 'posting_is_within_the_limit', table = 'posting';
    end if;
end $$;
-- A session plans this once, perhaps while the tables are nearly empty, and keeps the plan. So it is not left a choice: the
-- account of each posting is looked up in the index, which is right for a lone payment among a million accounts.
alter function refuse_unbalanced_postings set enable_seqscan = off;
alter function refuse_unbalanced_postings set enable_hashjoin = off;
alter function refuse_unbalanced_postings set enable_mergejoin = off;
create trigger posting_sums_to_zero after insert on posting
    referencing new table as added for each statement execute function refuse_unbalanced_postings();
create trigger posting_is_append_only before update or delete or truncate on posting
    for each statement execute function refuse_change_of_history();

grant select, insert on posting to ledger;
grant select on posting to audit;
