//! Step 3: the one place where the books change. A book and a request in, an answer and its postings out.
//!
//! No I/O, no clock, no randomness, no `async`: the same requests in the same order give the same answers, years later.
//! The checks stand in the order in which their reason codes take precedence.

#![deny(clippy::wildcard_enum_match_arm)]

use common::ids::{AccountId, ClientId};
use common::kinds::Answer;
use common::kinds::account::{AccountAnswer, AccountStatus};
use common::kinds::account::{AccountRequest, Category, OWNER_CHARS_MAX, OpenAccount};
use common::kinds::payment::{Original, PaymentAnswer, PaymentStatus};
use common::kinds::payment::{PaymentRequest, REFERENCE_CHARS_MAX, Terms};
use common::kinds::posting::{Direction, Posting};
use common::kinds::trust::AnnounceKey;
use common::kinds::trust::{KeyAnswer, KeyStatus};
use common::money::{Currency, Money};
use common::reason::{Code, Reason};
use common::token::{Claims, Scope};

use crate::book::{Account, At, Book, CannotPost, Entry, Status, UsedPaymentId};
use crate::chain::Digest;
use crate::verify::{Content, VerifiedRequest, rejected_account, rejected_payment};

/// An answer and what it books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// Its postings: none, or two that sum to zero.
    pub entries: Vec<Entry>,
}

/// Decides one request and changes the book accordingly.
///
/// The book must hold every account and payment id that the request names, as far as they exist.
#[must_use]
pub fn decide(book: &mut Book, request: &VerifiedRequest) -> Decision {
    let booked_nothing = |answer| Decision {
        answer,
        entries: Vec::new(),
    };
    match &request.content {
        Content::Payment {
            token,
            request: payment,
            digest,
        } => decide_payment(book, request.at, &token.claims, payment, *digest),
        Content::Account {
            token,
            request: AccountRequest::Open(open),
        } => booked_nothing(open_account(book, request.at, &token.claims, open)),
        Content::Key(key) => booked_nothing(Answer::Key(note_key(book, request.at, key))),
        Content::Rejected(answer) => booked_nothing(answer.clone()),
    }
}

fn decide_payment(
    book: &mut Book,
    at: At,
    claims: &Claims,
    request: &PaymentRequest,
    content: Digest,
) -> Decision {
    let client = &claims.client_id;
    if let Some(first) = book.payments.get(&(client.clone(), request.payment_id)) {
        let answer = asked_before(at, client, request, first, first.content == content);
        return Decision {
            answer,
            entries: Vec::new(),
        };
    }
    let (decision, status, reason) = match book_payment(book, at, claims, request) {
        Ok((terms, entries)) => {
            let answer = settled(at, client, request, terms, &entries);
            (
                Decision {
                    answer,
                    entries: entries.into(),
                },
                PaymentStatus::Settled,
                None,
            )
        }
        Err(reason) => {
            let code = reason.code;
            let answer = rejected_payment(at, client.clone(), Some(request), reason, false);
            (
                Decision {
                    answer,
                    entries: Vec::new(),
                },
                PaymentStatus::Rejected,
                Some(code),
            )
        }
    };
    // Whatever became of it, the id is used up: a retry must hear the same, not be decided again.
    let used = UsedPaymentId {
        request_seq: at.seq,
        content,
        status,
        reason,
    };
    book.payments
        .insert((client.clone(), request.payment_id), used);
    decision
}

/// Checks a payment against the books and books it: all of it or nothing.
fn book_payment(
    book: &mut Book,
    at: At,
    claims: &Claims,
    request: &PaymentRequest,
) -> Result<(Terms, [Entry; 2]), Reason> {
    let terms = request.terms(at.published_at)?;
    let money = terms.money;
    let debtor = book.accounts.get(&request.debtor_account).ok_or_else(|| {
        Reason::new(
            Code::AC02,
            format!("there is no debtor account {}", request.debtor_account),
        )
    })?;
    let creditor = book
        .accounts
        .get(&request.creditor_account)
        .ok_or_else(|| {
            Reason::new(
                Code::AC03,
                format!("there is no creditor account {}", request.creditor_account),
            )
        })?;
    may_pay(claims, debtor, creditor)?;
    for account in [debtor, creditor] {
        takes_part(account)?;
        if account.posted.currency() != money.currency() {
            let kept_in = account.posted.currency();
            return Err(Reason::new(
                Code::AM03,
                format!("account {} is kept in {kept_in}", account.id),
            ));
        }
    }
    let debit = entry(debtor, Direction::Debit, money)?;
    let credit = entry(creditor, Direction::Credit, money)?;
    for entry in [debit, credit] {
        let account = book.accounts.get_mut(&entry.account);
        let account = account.expect("looked up above");
        (account.posted, account.postings) = (entry.balance, entry.number);
    }
    assert_eq!(
        debit.amount, credit.amount,
        "the postings of request {} do not sum to zero",
        at.seq
    );
    Ok((terms, [debit, credit]))
}

/// Customers pay from their own accounts, a trusted platform from any customer's; only the bank touches the bank's.
fn may_pay(claims: &Claims, debtor: &Account, creditor: &Account) -> Result<(), Reason> {
    if claims.allows(Scope::BankOperate) {
        return Ok(());
    }
    if [debtor, creditor]
        .iter()
        .any(|account| account.category != Category::Liability)
    {
        return Err(Reason::new(
            Code::AG01,
            "only bank:operate may use accounts that are not a customer's",
        ));
    }
    if claims.allows(Scope::PaymentsSubmitAny) || debtor.owner == claims.sub {
        return Ok(());
    }
    Err(Reason::new(
        Code::AG01,
        format!("account {} is not the caller's", debtor.id),
    ))
}

fn takes_part(account: &Account) -> Result<(), Reason> {
    match account.status {
        Status::Open => Ok(()),
        Status::Frozen => Err(Reason::new(
            Code::AC06,
            format!("account {} is blocked", account.id),
        )),
        Status::Closed => Err(Reason::new(
            Code::AC04,
            format!("account {} is closed", account.id),
        )),
    }
}

fn entry(account: &Account, direction: Direction, amount: Money) -> Result<Entry, Reason> {
    let balance = account
        .balance_after(direction, amount)
        .map_err(|cannot| match cannot {
            CannotPost::Insufficient => {
                let (id, available) = (account.id, account.available());
                Reason::new(
                    Code::AM04,
                    format!("account {id} has {available} available, {amount} needed"),
                )
            }
            CannotPost::Overflow => Reason::new(
                Code::AM12,
                format!("account {} can't hold so much", account.id),
            ),
        })?;
    Ok(Entry {
        account: account.id,
        direction,
        amount,
        balance,
        number: account.postings + 1,
    })
}

fn settled(
    at: At,
    client: &ClientId,
    request: &PaymentRequest,
    terms: Terms,
    entries: &[Entry; 2],
) -> Answer {
    let amount = terms.money.to_string();
    Answer::Payment(PaymentAnswer {
        request_seq: at.seq,
        payment_id: Some(request.payment_id),
        client_id: client.clone(),
        status: PaymentStatus::Settled,
        reason: None,
        debtor_account: Some(request.debtor_account),
        creditor_account: Some(request.creditor_account),
        amount: Some(amount.clone()),
        currency: Some(request.currency.clone()),
        reference: request.reference.clone(),
        postings: entries
            .iter()
            .map(|entry| Posting {
                account: entry.account,
                direction: entry.direction,
                amount: amount.clone(),
                balance: entry.balance.to_string(),
            })
            .collect(),
        original: None,
        may_retry: false,
        published_at: at.published_at,
    })
}

fn asked_before(
    at: At,
    client: &ClientId,
    request: &PaymentRequest,
    first: &UsedPaymentId,
    same_content: bool,
) -> Answer {
    let original = Original {
        request_seq: first.request_seq,
        status: first.status,
        reason: first.reason,
    };
    let other_content = || {
        let seq = first.request_seq;
        Reason::new(
            Code::AM05,
            format!("request {seq} used this payment_id for another payment"),
        )
    };
    let rejection = rejected_payment(at, client.clone(), Some(request), other_content(), false);
    let Answer::Payment(rejection) = rejection else {
        unreachable!("a rejected payment is a payment's answer")
    };
    if !same_content {
        return Answer::Payment(PaymentAnswer {
            original: Some(original),
            ..rejection
        });
    }
    let amount = request
        .terms(at.published_at)
        .map_or_else(|_| request.amount.clone(), |terms| terms.money.to_string());
    Answer::Payment(PaymentAnswer {
        status: PaymentStatus::Duplicate,
        reason: None,
        amount: Some(amount),
        original: Some(original),
        ..rejection
    })
}

fn open_account(book: &mut Book, at: At, claims: &Claims, open: &OpenAccount) -> Answer {
    let account = match terms_of_account(at, claims, open) {
        Ok(account) => account,
        Err(reason) => {
            return rejected_account(at, claims.client_id.clone(), Some(open.account_id), reason);
        }
    };
    let status = match book.accounts.get(&open.account_id) {
        None => AccountStatus::Opened,
        Some(existing) if has_terms(existing, &account) => AccountStatus::Duplicate,
        Some(existing) => {
            let seq = existing.opened_seq;
            let reason = Reason::new(
                Code::AM05,
                format!("request {seq} opened this account on other terms"),
            );
            return rejected_account(at, claims.client_id.clone(), Some(open.account_id), reason);
        }
    };
    let answer = Answer::Account(AccountAnswer {
        request_seq: at.seq,
        account_id: Some(account.id),
        client_id: claims.client_id.clone(),
        status,
        reason: None,
        owner: Some(account.owner.clone()),
        currency: Some(account.posted.currency().code().to_owned()),
        category: Some(account.category),
        name: account.name.clone(),
        overdraft_limit: Some(account.overdraft_limit.to_string()),
        published_at: at.published_at,
    });
    if status == AccountStatus::Opened {
        book.accounts.insert(account.id, account);
    }
    answer
}

fn terms_of_account(at: At, claims: &Claims, open: &OpenAccount) -> Result<Account, Reason> {
    let chars = |text: &str| text.chars().count();
    if open.owner.is_empty() || chars(&open.owner) > OWNER_CHARS_MAX {
        return Err(Reason::new(
            Code::FF01,
            format!("the owner has 1 to {OWNER_CHARS_MAX} characters"),
        ));
    }
    if open
        .name
        .as_deref()
        .is_some_and(|name| chars(name) > REFERENCE_CHARS_MAX)
    {
        return Err(Reason::new(
            Code::FF01,
            format!("the name has more than {REFERENCE_CHARS_MAX} characters"),
        ));
    }
    // PostgreSQL holds no NUL, and a statement on paper none of the others.
    let has_control = |text: &str| text.chars().any(char::is_control);
    if has_control(&open.owner) || open.name.as_deref().is_some_and(has_control) {
        return Err(Reason::new(
            Code::FF01,
            "owner and name hold no control characters",
        ));
    }
    let currency = Currency::from_code(&open.currency).ok_or_else(|| {
        Reason::new(
            Code::AM03,
            "the currency is no ISO 4217 code of money, such as EUR",
        )
    })?;
    let overdraft_limit = match &open.overdraft_limit {
        Some(text) => Money::not_negative(text, currency)
            .map_err(|error| Reason::new(Code::AM12, error.to_string()))?,
        None => Money::zero(currency),
    };
    let for_oneself = open.owner == claims.sub
        && open.category == Category::Liability
        && open.overdraft_limit.is_none();
    if !claims.allows(Scope::BankOperate) && !for_oneself {
        let message = "without bank:operate one opens only liability accounts of one's own, with no overdraft";
        return Err(Reason::new(Code::AG01, message));
    }
    Ok(Account {
        id: open.account_id,
        owner: open.owner.clone(),
        name: open.name.clone(),
        category: open.category,
        status: Status::Open,
        overdraft_limit,
        posted: Money::zero(currency),
        held: Money::zero(currency),
        postings: 0,
        opened_seq: at.seq,
    })
}

fn has_terms(existing: &Account, asked: &Account) -> bool {
    existing.owner == asked.owner
        && existing.name == asked.name
        && existing.category == asked.category
        && existing.overdraft_limit == asked.overdraft_limit
        && existing.posted.currency() == asked.posted.currency()
}

fn note_key(book: &mut Book, at: At, key: &AnnounceKey) -> KeyAnswer {
    let (status, reason) = if book.keys.contains(&key.kid) {
        // The thumbprint is the key, so only the issuer could differ; the first one stays.
        (KeyStatus::Duplicate, None)
    } else {
        match book.keys.insert(&key.kid, &key.issuer, &key.n, &key.e) {
            Ok(()) => (KeyStatus::Noted, None),
            Err(error) => (
                KeyStatus::Rejected,
                Some(Reason::new(Code::NARR, error.to_string())),
            ),
        }
    };
    KeyAnswer {
        request_seq: at.seq,
        kid: Some(key.kid.clone()),
        status,
        reason,
        issuer: Some(key.issuer.clone()),
        n: Some(key.n.clone()),
        e: Some(key.e.clone()),
        published_at: at.published_at,
    }
}

/// The accounts that a request may touch, so that they can be loaded before it is decided.
pub fn touched_accounts(request: &VerifiedRequest) -> impl Iterator<Item = AccountId> + use<> {
    let touched = match &request.content {
        Content::Payment { request, .. } => {
            [Some(request.debtor_account), Some(request.creditor_account)]
        }
        Content::Account {
            request: AccountRequest::Open(open),
            ..
        } => [Some(open.account_id), None],
        Content::Key(_) | Content::Rejected(_) => [None, None],
    };
    touched.into_iter().flatten()
}
