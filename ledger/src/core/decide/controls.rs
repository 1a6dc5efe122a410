//! Decides about the controls of an account: freezing, unfreezing, closing, limits. Only the bank sets them.

use common::ids::AccountId;
use common::kinds::Answer;
use common::kinds::account::{
    AccountAnswer, AccountRequest, AccountStatus, CloseAccount, Freeze, Limit,
};
use common::money::Money;
use common::reason::{Code, Reason};
use common::token::{Claims, Scope};

use super::Decision;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{Account, Standing, Status, is_above};
use crate::core::book::limits::{Controls, Usage};
use crate::core::change::Change;
use crate::core::rejection;

/// What a control does to an account.
struct Controlled<'b> {
    account: &'b Account,
    status: AccountStatus,
    /// How it stands after it.
    standing: Standing,
}

/// Answers a request to control an account.
pub(super) fn decide(book: &Book, at: At, claims: &Claims, request: &AccountRequest) -> Decision {
    let id = request.account_id();
    let controlled = match request {
        AccountRequest::Open(_) => unreachable!("opening is decided elsewhere"),
        AccountRequest::Freeze(asked) => freeze(book, claims, asked),
        AccountRequest::Unfreeze(asked) => unfreeze(book, claims, asked),
        AccountRequest::Close(asked) => close(book, claims, asked),
        AccountRequest::Limit(asked) => limit(book, at, claims, asked),
    };
    match controlled {
        Ok(controlled) => answered(at, claims, request, controlled),
        Err(reason) => Decision::without_change(Answer::Account(rejection::account(
            at,
            claims.client_id.clone(),
            Some(id),
            reason,
        ))),
    }
}

fn answered(
    at: At,
    claims: &Claims,
    request: &AccountRequest,
    controlled: Controlled<'_>,
) -> Decision {
    let Controlled {
        account,
        status,
        standing,
    } = controlled;
    let is_new = standing != account.standing();
    let side = match request {
        AccountRequest::Freeze(freeze) | AccountRequest::Unfreeze(freeze) => Some(freeze.side),
        AccountRequest::Open(_) | AccountRequest::Close(_) | AccountRequest::Limit(_) => None,
    };
    let limits = matches!(request, AccountRequest::Limit(_)).then(|| standing.limits());
    let answer = Answer::Account(AccountAnswer {
        request_seq: at.seq,
        account_id: Some(account.id),
        client_id: claims.client_id.clone(),
        status: if is_new {
            status
        } else {
            AccountStatus::Duplicate
        },
        reason: None,
        owner: Some(account.owner.clone()),
        currency: Some(account.posted.currency().code().to_owned()),
        category: Some(account.category),
        name: account.name.clone(),
        overdraft_limit: Some(standing.overdraft_limit.to_string()),
        side,
        limits,
        metadata: None,
        published_at: at.published_at,
    });
    let change = Change::AccountStands(account.id, Box::new(standing));
    Decision {
        answer,
        changes: is_new.then_some(change).into_iter().collect(),
    }
}

/// The account, if the caller may control it.
fn account<'b>(book: &'b Book, claims: &Claims, id: AccountId) -> Result<&'b Account, Reason> {
    if !claims.allows(Scope::BankOperate) {
        let message = "only bank:operate may freeze, unfreeze, close or limit accounts";
        return Err(Reason::new(Code::AG01, message));
    }
    let account = book.accounts.get(&id);
    account.ok_or_else(|| Reason::new(Code::AC02, format!("there is no account {id}")))
}

fn is_closed(account: &Account) -> Reason {
    Reason::new(Code::AC04, format!("account {} is closed", account.id))
}

fn freeze<'b>(book: &'b Book, claims: &Claims, asked: &Freeze) -> Result<Controlled<'b>, Reason> {
    let account = account(book, claims, asked.account_id)?;
    let status = account.status.frozen(asked.side);
    Ok(Controlled {
        account,
        status: AccountStatus::Frozen,
        standing: Standing {
            status: status.ok_or_else(|| is_closed(account))?,
            ..account.standing()
        },
    })
}

fn unfreeze<'b>(book: &'b Book, claims: &Claims, asked: &Freeze) -> Result<Controlled<'b>, Reason> {
    let account = account(book, claims, asked.account_id)?;
    let status = account.status.unfrozen(asked.side);
    Ok(Controlled {
        account,
        status: AccountStatus::Unfrozen,
        standing: Standing {
            status: status.ok_or_else(|| is_closed(account))?,
            ..account.standing()
        },
    })
}

fn close<'b>(
    book: &'b Book,
    claims: &Claims,
    asked: &CloseAccount,
) -> Result<Controlled<'b>, Reason> {
    let account = account(book, claims, asked.account_id)?;
    let id = account.id;
    if !account.held.amount().is_zero() {
        let message = format!(
            "{} is held on account {id}: capture or void it first",
            account.held
        );
        return Err(Reason::new(Code::NARR, message));
    }
    if !account.posted.amount().is_zero() {
        let message = format!(
            "account {id} holds {}: it closes at zero only",
            account.posted
        );
        return Err(Reason::new(Code::NARR, message));
    }
    Ok(Controlled {
        account,
        status: AccountStatus::Closed,
        standing: Standing {
            status: Status::Closed,
            ..account.standing()
        },
    })
}

fn limit<'b>(
    book: &'b Book,
    at: At,
    claims: &Claims,
    asked: &Limit,
) -> Result<Controlled<'b>, Reason> {
    let account = account(book, claims, asked.account_id)?;
    if account.status == Status::Closed {
        return Err(is_closed(account));
    }
    let zero = Money::zero(account.posted.currency());
    let amounts = |error: common::money::InvalidAmount| Reason::new(Code::AM12, error.to_string());
    let overdraft = asked.limits.overdraft_limit.as_deref();
    let overdraft = overdraft.map(|text| Money::not_negative(text, zero.currency()));
    let overdraft_limit = overdraft.transpose().map_err(amounts)?.unwrap_or(zero);
    let mut controls = Controls::read(&asked.limits, zero).map_err(amounts)?;
    if let (Some(minimum), Some(maximum)) = (controls.minimum, controls.maximum)
        && is_above(minimum, maximum)
    {
        let message = format!("the minimum balance {minimum} is above the maximum {maximum}");
        return Err(Reason::new(Code::NARR, message));
    }
    let usage = account.usage(at.day());
    if let Some(message) = below_use(account, overdraft_limit, &controls, usage) {
        return Err(Reason::new(Code::AM02, message));
    }
    if controls.count() {
        // Limits that change go on counting from what was counted.
        controls.usage = account.controls.as_ref().and_then(|known| known.usage);
    }
    Ok(Controlled {
        account,
        status: AccountStatus::Limited,
        standing: Standing {
            overdraft_limit,
            controls: controls.limit_something().then(|| Box::new(controls)),
            ..account.standing()
        },
    })
}

/// Which limit is below what the account uses at present.
fn below_use(
    account: &Account,
    overdraft: Money,
    controls: &Controls,
    usage: Option<Usage>,
) -> Option<String> {
    let (id, posted) = (account.id, account.posted);
    let free = posted.checked_sub(account.held)?;
    if free.checked_add(overdraft)?.is_negative() {
        return Some(format!(
            "account {id} uses {} of its overdraft",
            free.negated()
        ));
    }
    if controls
        .minimum
        .is_some_and(|minimum| is_above(minimum, free))
    {
        return Some(format!("only {free} is free on account {id}"));
    }
    if controls
        .maximum
        .is_some_and(|maximum| is_above(posted, maximum))
    {
        return Some(format!("account {id} holds {posted}"));
    }
    let usage = usage?;
    for (window, max, spent) in [
        ("day", controls.day, usage.of_day),
        ("month", controls.month, usage.of_month),
    ] {
        if max.amount.is_some_and(|max| is_above(spent.amount, max)) {
            return Some(format!(
                "{} has left account {id} this {window}",
                spent.amount
            ));
        }
        if max.count.is_some_and(|max| spent.count > max) {
            return Some(format!(
                "account {id} has paid {} times this {window}",
                spent.count
            ));
        }
    }
    None
}
