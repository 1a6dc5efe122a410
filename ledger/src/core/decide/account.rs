//! Decides about accounts: opening one, and whatever else is asked about one.

use std::collections::BTreeMap;

use common::ids::{AccountId, ClientId, OWNER_BANK, owner_spelling};
use common::kinds::Answer;
use common::kinds::account::{
    AccountAnswer, AccountRequest, AccountStatus, Category, OWNER_CHARS_MAX, OpenAccount,
};
use common::kinds::chart::Purpose;
use common::kinds::payment::{REFERENCE_CHARS_MAX, notes_mistake};
use common::money::{Currency, InvalidAmount, Money};
use common::reason::{Code, Reason};
use common::token::{Claims, Scope};

use super::{Decision, controls};
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{Account, Status};
use crate::core::change::Change;
use crate::core::rejection;
use crate::core::rules::Rules;
use crate::core::verify::BankAccount;

/// Answers an account request.
pub(super) fn decide(book: &Book, at: At, claims: &Claims, request: &AccountRequest) -> Decision {
    let AccountRequest::Open(open) = request else {
        return controls::decide(book, at, claims, request);
    };
    let client = &claims.client_id;
    let opened = terms(at, claims, open).and_then(|account| {
        let is_new = !book.accounts.contains_key(&account.id);
        if is_new && at.rules.open_bank_accounts() && takes_id_of_bank(at, &account) {
            let message = "this id is kept for an account of the bank's own, on its own terms";
            return Err(Reason::new(Code::AG01, message));
        }
        open_account(book, at, client, account)
    });
    opened.unwrap_or_else(|reason| rejected(at, client, open.account_id, reason))
}

/// Answers the ledger's own request for an account of the bank's.
pub(super) fn open_for_bank(book: &Book, at: At, asked: BankAccount) -> Decision {
    let account = account_of_bank(at, asked);
    let (id, client) = (account.id, ClientId::ledger());
    let opened = open_account(book, at, &client, account);
    opened.unwrap_or_else(|reason| rejected(at, &client, id, reason))
}

/// One of the bank's own accounts, as the ledger opens it.
fn account_of_bank(at: At, asked: BankAccount) -> Account {
    let BankAccount { purpose, currency } = asked;
    let overdraft_limit = Money::not_negative(purpose.overdraft_limit(), currency)
        .expect("whole units are an amount of every currency");
    Account {
        owner: OWNER_BANK.to_owned(),
        name: Some(purpose.name().to_owned()),
        category: purpose.category(),
        overdraft_limit,
        ..blank(at, purpose.account_id(currency), currency)
    }
}

/// Whether it has the id of an account of the bank's own without being that account.
fn takes_id_of_bank(at: At, account: &Account) -> bool {
    Purpose::of_account(account.id).is_some_and(|(purpose, currency)| {
        let banks = account_of_bank(at, BankAccount { purpose, currency });
        !has_terms(&banks, account, at.rules)
    })
}

fn rejected(at: At, client: &ClientId, id: AccountId, reason: Reason) -> Decision {
    let answer = rejection::account(at, client.clone(), Some(id), reason);
    Decision::without_change(Answer::Account(answer))
}

fn open_account(
    book: &Book,
    at: At,
    client: &ClientId,
    account: Account,
) -> Result<Decision, Reason> {
    let currency = account.posted.currency();
    let status = match book.accounts.get(&account.id) {
        None if at.rules.refuse_withdrawn_currencies() && currency.is_withdrawn() => {
            return Err(Reason::new(
                Code::AM03,
                format!("{currency} has been withdrawn: no new account is opened in it"),
            ));
        }
        None => AccountStatus::Opened,
        Some(existing) if has_terms(existing, &account, at.rules) => AccountStatus::Duplicate,
        Some(existing) => {
            let seq = existing.opened_seq;
            return Err(Reason::new(
                Code::AM05,
                format!("request {seq} opened this account on other terms"),
            ));
        }
    };
    let answer = Answer::Account(AccountAnswer {
        request_seq: at.seq,
        account_id: Some(account.id),
        client_id: client.clone(),
        status,
        reason: None,
        owner: Some(account.owner.clone()),
        currency: Some(currency.code().to_owned()),
        category: Some(account.category),
        name: account.name.clone(),
        overdraft_limit: Some(account.overdraft_limit.to_string()),
        side: None,
        limits: None,
        metadata: (!account.metadata.is_empty()).then(|| account.metadata.clone()),
        published_at: at.published_at,
    });
    let is_new = status == AccountStatus::Opened;
    let change = || Change::AccountOpened(Box::new(account));
    let changes = is_new.then(change).into_iter().collect();
    Ok(Decision { answer, changes })
}

/// A new account of nobody's yet.
fn blank(at: At, id: AccountId, currency: Currency) -> Account {
    Account {
        id,
        owner: String::new(),
        name: None,
        metadata: BTreeMap::new(),
        category: Category::default(),
        status: Status::Open,
        overdraft_limit: Money::zero(currency),
        posted: Money::zero(currency),
        held: Money::zero(currency),
        controls: None,
        postings: 0,
        opened_seq: at.seq,
    }
}

fn terms(at: At, claims: &Claims, open: &OpenAccount) -> Result<Account, Reason> {
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
    let metadata = open.metadata.clone().unwrap_or_default();
    if let Some(mistake) = notes_mistake(None, &metadata) {
        return Err(mistake);
    }
    // PostgreSQL stores no NUL, and a printed statement shows no other control character.
    let has_control = |text: &str| text.chars().any(char::is_control);
    if has_control(&open.owner) || open.name.as_deref().is_some_and(has_control) {
        return Err(Reason::new(
            Code::FF01,
            "owner and name hold no control characters",
        ));
    }
    if metadata
        .iter()
        .any(|(key, text)| has_control(key) || has_control(text))
    {
        return Err(Reason::new(
            Code::FF01,
            "metadata holds no control characters",
        ));
    }
    let currency = Currency::from_code(&open.currency).ok_or_else(|| {
        Reason::new(
            Code::AM03,
            "the currency is no ISO 4217 code of money, such as EUR",
        )
    })?;
    let overdraft_limit = match &open.overdraft_limit {
        Some(text) => Money::not_negative(text, currency).map_err(|error| {
            let is_worded_alike = !at.rules.word_limits_as_limits();
            let error = if is_worded_alike && error == InvalidAmount::Negative {
                InvalidAmount::NotPositive
            } else {
                error
            };
            Reason::new(Code::AM12, error.to_string())
        })?,
        None => Money::zero(currency),
    };
    let owner = owner(at, &open.owner)?;
    let is_callers = owner == claims.sub
        || at.rules.spell_owners_alike() && owner == owner_spelling(&claims.sub);
    let for_oneself =
        is_callers && open.category == Category::Liability && open.overdraft_limit.is_none();
    if !claims.allows(Scope::BankOperate) && !for_oneself {
        let message = "without bank:operate one opens only liability accounts of one's own, with no overdraft";
        return Err(Reason::new(Code::AG01, message));
    }
    Ok(Account {
        owner,
        name: open.name.clone(),
        metadata,
        category: open.category,
        overdraft_limit,
        ..blank(at, open.account_id, currency)
    })
}

/// The owner in one spelling.
fn owner(at: At, text: &str) -> Result<String, Reason> {
    if !at.rules.spell_owners_alike() {
        return Ok(text.to_owned());
    }
    let owner = owner_spelling(text);
    if owner.chars().any(char::is_whitespace) {
        return Err(Reason::new(Code::FF01, "an owner is an id, without spaces"));
    }
    Ok(owner.into_owned())
}

fn has_terms(existing: &Account, asked: &Account, rules: Rules) -> bool {
    // By rules 1 an owner may have been spelled in another way.
    let is_owner = asked.owner == existing.owner
        || rules.spell_owners_alike() && asked.owner == owner_spelling(&existing.owner);
    is_owner
        && existing.name == asked.name
        && existing.metadata == asked.metadata
        && existing.category == asked.category
        && existing.overdraft_limit == asked.overdraft_limit
        && existing.posted.currency() == asked.posted.currency()
}
