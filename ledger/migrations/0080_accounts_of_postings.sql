-- The wall of postings looks only at the accounts of these postings, however the tables looked when its plan was made.
--
-- A session plans a function once and keeps the plan. 0006 therefore left it no choice; 0011 replaced the function, and with
-- it its settings. Since then a session whose first batch was large read every account for each batch, also for a lone
-- payment. So the settings stand in the definition now: whoever replaces it sees them.
--
-- Looking up every posting's account by itself would cost a large batch more than reading all of ten thousand accounts. The
-- index takes an array of them for less: it goes to a page of it once.
create or replace function refuse_unbalanced_postings() returns trigger language plpgsql
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_nestloop = off
    set enable_mergejoin = off
as $$
declare
    touched bigint[];
    offender record;
begin
    select array_agg(distinct account_seq) into touched from added;
    select request_seq,
           sum(amount) <> 0 as is_unbalanced,
           count(account.id) < count(*) as is_on_no_account
    into offender
    from added
    left join (select * from account where opened_seq = any (touched)) as account on account.opened_seq = added.account_seq
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
    -- A batch may hold money after a payment or lower a limit behind it, and the accounts have the state after the batch; so
    -- only the last posting of an account is judged by its limit. A batch of plain payments does not come to this question.
    select request_seq into offender
    from (select distinct on (account_seq) * from added order by account_seq, number desc) as last
    join (select * from account where opened_seq = any (touched)) as account on account.opened_seq = last.account_seq
    where balance - held + overdraft_limit < 0
    limit 1;
    if found then
        raise exception 'a posting of request % leaves its account beyond its limit', offender.request_seq
            using errcode = 'check_violation', constraint = 'posting_is_within_the_limit', table = 'posting';
    end if;
    return null;
end $$;
