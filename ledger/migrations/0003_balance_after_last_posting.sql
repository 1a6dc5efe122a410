-- The balance of an account is the one after its last posting; it is kept there and nowhere else.
--
-- A second copy of it in `account` had to be rewritten for each account that a batch touched: a fifth of the work that a
-- batch was to this database, and two values that could contradict each other.

-- Which posting of its account it is, from 1 without a gap: the line number of a statement. The last one has the balance.
alter table posting add column number bigint;
alter table posting disable trigger posting_is_append_only;
update posting set number = numbered.number
from (select request_seq, line, row_number() over (partition by account_id order by request_seq, line) as number
      from posting) as numbered
where posting.request_seq = numbered.request_seq and posting.line = numbered.line;
alter table posting enable trigger posting_is_append_only;
alter table posting alter column number set not null,
    add constraint posting_number_is_positive check (number > 0),
    add constraint posting_number_once unique (account_id, number);
-- By the number the last posting is found whatever the planner knows of the table; by `request_seq` it may prefer to read
-- the primary key backwards through everybody's postings.
drop index posting_by_account;

alter table account drop column posted;

-- One look at what was added instead of two, and the wall that stood at `account.posted`: no posting leaves an account
-- beyond its limit.
create or replace function refuse_unbalanced_postings() returns trigger language plpgsql as $$
declare
    offender record;
begin
    select request_seq,
           sum(case direction when 'debit' then amount else -amount end) <> 0 as is_unbalanced,
           count(account.id) < count(*) as is_on_no_account
    into offender
    from added left join account on account.id = added.account_id and account.currency = added.currency
    group by request_seq, added.currency
    having sum(case direction when 'debit' then amount else -amount end) <> 0
        or count(account.id) < count(*)
        or bool_or(balance - held + overdraft_limit < 0)
    limit 1;
    if not found then
        return null;
    elsif offender.is_unbalanced then
        raise exception 'the postings of request % do not sum to zero', offender.request_seq
            using errcode = 'check_violation', constraint = 'posting_sums_to_zero', table = 'posting';
    elsif offender.is_on_no_account then
        raise exception 'a posting of request % is on no account of its currency', offender.request_seq
            using errcode = 'foreign_key_violation', constraint = 'posting_is_on_an_account', table = 'posting';
    else
        raise exception 'a posting of request % leaves its account beyond its limit', offender.request_seq
            using errcode = 'check_violation', constraint = 'posting_is_within_the_limit', table = 'posting';
    end if;
end $$;
-- Its plan must fit the tables as they are, not as they were when this session first ran it.
alter function refuse_unbalanced_postings set plan_cache_mode = force_custom_plan;
