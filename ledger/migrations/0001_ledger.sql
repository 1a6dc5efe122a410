-- The books.
--
-- One row in `answer` for every request in the log, two or more rows in `posting` for every payment that was settled,
-- one row in `account` for every account, and one row in `cursor` that says how far the log has been decided. They are
-- written together, in one transaction per batch, by the role `ledger`; the role that owns the tables only migrates.
--
-- Answers and postings are history: they are only ever added. Two walls guard that: the role `ledger` has no right to
-- change them, and triggers refuse it to everybody else, the owner included.

-- How far the log has been decided. The one row is updated with compare-and-set, which fences off a second ledger.
create table cursor (
    only_row boolean primary key default true constraint cursor_has_one_row check (only_row),
    seq bigint not null constraint cursor_seq_is_not_negative check (seq >= 0),
    -- Head of the hash chain: SHA-256 over the previous head, the request and its answer.
    chain bytea not null constraint cursor_chain_is_sha256 check (octet_length(chain) = 32)
);
insert into cursor (seq, chain) values (0, decode(repeat('00', 32), 'hex'));

-- What became of request `request_seq`. From this row alone its settlement event can be published again, byte for byte.
create table answer (
    request_seq bigint constraint answer_pkey primary key,
    -- Where the answer is published.
    subject text not null,
    -- The answer's CloudEvents type, such as payment.settled.v1, and its reason code if it is a rejection.
    event_type text not null,
    reason text,
    -- Who sent it, under which token and key; empty where no token was accepted.
    client_id text,
    token_id text,
    key_id text,
    -- Set exactly when this answer used the payment id up: then `content` is the SHA-256 of what was asked.
    payment_id uuid,
    content bytea constraint answer_content_is_sha256 check (octet_length(content) = 32),
    -- The broker's timestamp of the request; the time at which it was judged.
    published_at timestamptz not null,
    traceparent text,
    -- SHA-256 of the request as it is stored in the log.
    request_digest bytea not null constraint answer_request_digest_is_sha256 check (octet_length(request_digest) = 32),
    -- The settlement event's body.
    body bytea not null,
    -- The hash chain after this answer.
    chain bytea not null constraint answer_chain_is_sha256 check (octet_length(chain) = 32),
    constraint answer_payment_id_has_content check ((payment_id is null) = (content is null)),
    constraint answer_payment_id_has_client check (payment_id is null or client_id is not null)
);

-- One payment id is decided once per client, for ever.
create unique index answer_payment_id_once on answer (client_id, payment_id) where payment_id is not null;

create table account (
    id uuid constraint account_pkey primary key,
    -- The `sub` of the tokens that may pay from it.
    owner text not null,
    name text,
    currency char(3) not null,
    category text not null
        constraint account_category_is_known check (category in ('asset', 'liability', 'equity', 'income', 'expense')),
    status text not null constraint account_status_is_known check (status in ('open', 'frozen', 'closed')),
    overdraft_limit numeric not null constraint account_overdraft_is_not_negative check (overdraft_limit >= 0),
    -- Sum of the postings on the account's normal side: debits for assets and expenses, credits for the others.
    posted numeric not null,
    -- Reserved by authorised holds.
    held numeric not null constraint account_held_is_not_negative check (held >= 0),
    opened_seq bigint not null,
    constraint account_is_within_its_limit check (posted - held + overdraft_limit >= 0)
);
create index account_by_owner on account (owner, id);

-- One debit or credit, with the balance after it.
create table posting (
    request_seq bigint not null,
    line smallint not null,
    account_id uuid not null,
    currency char(3) not null,
    direction text not null constraint posting_direction_is_known check (direction in ('debit', 'credit')),
    amount numeric not null constraint posting_amount_is_positive check (amount > 0),
    balance numeric not null,
    constraint posting_pkey primary key (request_seq, line)
);
create index posting_by_account on posting (account_id, request_seq);

-- The public keys that auth has announced. They are kept for ever: an old request must verify years later.
create table signing_key (
    kid text constraint signing_key_pkey primary key,
    issuer text not null,
    n text not null,
    e text not null,
    announced_seq bigint not null
);

-- Every statement that adds postings must add whole transactions: debits and credits of each request are equal in each
-- currency, and each account exists and is kept in that currency. Checked once per statement, not per row.
create function refuse_unbalanced_postings() returns trigger language plpgsql as $$
declare
    offender bigint;
begin
    select request_seq into offender from added
    group by request_seq, currency
    having sum(case direction when 'debit' then amount else -amount end) <> 0
    limit 1;
    if found then
        raise exception 'the postings of request % do not sum to zero', offender
            using errcode = 'check_violation', constraint = 'posting_sums_to_zero', table = 'posting';
    end if;
    select added.request_seq into offender from added
    left join account on account.id = added.account_id and account.currency = added.currency
    where account.id is null
    limit 1;
    if found then
        raise exception 'a posting of request % is on no account of its currency', offender
            using errcode = 'foreign_key_violation', constraint = 'posting_is_on_an_account', table = 'posting';
    end if;
    return null;
end $$;
create trigger posting_sums_to_zero after insert on posting
    referencing new table as added for each statement execute function refuse_unbalanced_postings();

create function refuse_change_of_history() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger answer_is_append_only before update or delete or truncate on answer
    for each statement execute function refuse_change_of_history();
create trigger posting_is_append_only before update or delete or truncate on posting
    for each statement execute function refuse_change_of_history();

grant select, insert on answer, posting, signing_key to ledger;
grant select, insert on account to ledger;
grant update (posted, held, status, overdraft_limit) on account to ledger;
grant select on cursor to ledger;
grant update (seq, chain) on cursor to ledger;
