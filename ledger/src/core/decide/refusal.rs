//! Why money is not moved or held: the refusals that payments, holds, captures, voids and reversals share, in the order
//! of precedence, with their codes and sentences.

use common::ids::{AccountId, PaymentId};
use common::money::{Currency, Money};
use common::reason::{Code, Reason};

use crate::core::book::hold::HoldStatus;

/// Why nothing is booked, in the order of precedence.
pub(super) enum Refusal {
    /// The request contradicts itself, whatever the books say.
    Terms(Reason),
    /// Another payment of the atomic batch is not booked: this one (from 1).
    AnotherOfTheBatch(usize),
    /// Another client's hold is named without the right to.
    AnothersHold,
    NoHold(PaymentId),
    NoOriginal(PaymentId),
    NoDebtor(AccountId),
    NoCreditor(AccountId),
    /// An account of the bank's own, and the caller is not the bank.
    OnlyTheBank,
    /// A transaction, and the caller who wants it back is not the bank.
    OnlyByTheBank,
    /// The account that was paid is the caller's, but a credit on it is no gain.
    NoLiability(AccountId),
    /// The debtor is somebody else.
    NotTheCallers(AccountId),
    /// The token names the accounts that it may debit, and this is none of them.
    OutsideTheToken(AccountId),
    /// The hold does not stand where this is possible.
    HoldHasEnded(PaymentId, HoldStatus),
    /// What is named was not booked as a payment.
    NotReversible(PaymentId, &'static str),
    Blocked(AccountId),
    Closed(AccountId),
    /// More than the token may move at once.
    AboveTheToken {
        /// In this currency; nothing when the token does not name it.
        max: Option<Money>,
        currency: Currency,
    },
    OtherCurrency(AccountId, Currency),
    /// Debits make the account grow, so there is nothing to hold.
    GrowsByDebits(AccountId),
    /// More than is still held.
    AboveTheHold {
        held: Money,
        asked: Money,
    },
    /// More than was not reversed before.
    AboveTheRest {
        rest: Money,
        asked: Money,
    },
    /// All of it was reversed before.
    AllReversed(PaymentId),
    /// What an account holds, or may, is not enough.
    Account(AccountId, Cannot),
}

/// Why an account can't take or spare so much, in the order of precedence.
pub(super) enum Cannot {
    Insufficient {
        /// If it concerns the caller.
        available: Option<Money>,
        needed: Money,
    },
    BelowMinimum {
        /// If it concerns the caller.
        minimum: Option<Money>,
    },
    AboveMaximum {
        /// The most and what it holds, if they concern the caller.
        room: Option<(Money, Money)>,
    },
    AboveVelocity {
        /// If it concerns the caller.
        detail: Option<Box<Velocity>>,
    },
    Overflow,
}

/// What a limit of a day or a month says.
pub(super) struct Velocity {
    /// `day` or `month`.
    pub(super) window: &'static str,
    /// What counts already, what is asked, and the limit.
    pub(super) of: VelocityOf,
}

pub(super) enum VelocityOf {
    Amount {
        spent: Money,
        asked: Money,
        max: Money,
    },
    Count {
        max: u32,
    },
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Terms(reason) => reason,
            Refusal::AnotherOfTheBatch(number) => Self::new(
                Code::NARR,
                format!("payment {number} of the batch was not settled, so none of it is booked"),
            ),
            Refusal::AnothersHold => Self::new(
                Code::AG01,
                "only bank:operate may name another client's payment here",
            ),
            Refusal::NoHold(id) => Self::new(Code::NOOR, format!("there is no hold {id}")),
            Refusal::NoOriginal(id) => Self::new(
                Code::NOOR,
                format!("there is no payment {id} that the caller may reverse"),
            ),
            Refusal::NoDebtor(id) => {
                Self::new(Code::AC02, format!("there is no debtor account {id}"))
            }
            Refusal::NoCreditor(id) => {
                Self::new(Code::AC03, format!("there is no creditor account {id}"))
            }
            Refusal::OnlyTheBank => Self::new(
                Code::AG01,
                "only bank:operate may use accounts that are not a customer's",
            ),
            Refusal::NoLiability(id) => Self::new(
                Code::AG01,
                format!(
                    "only bank:operate may reverse what was paid to account {id}, which is not a liability"
                ),
            ),
            Refusal::OnlyByTheBank => {
                Self::new(Code::AG01, "only bank:operate may reverse a transaction")
            }
            Refusal::NotTheCallers(id) => {
                Self::new(Code::AG01, format!("account {id} is not the caller's"))
            }
            Refusal::OutsideTheToken(id) => Self::new(
                Code::AG01,
                format!("account {id} is not one that this token may debit"),
            ),
            Refusal::HoldHasEnded(id, status) => Self::new(
                Code::NARR,
                format!("hold {id} is {}: nothing is held any more", status.as_str()),
            ),
            Refusal::NotReversible(id, what) => {
                Self::new(Code::NARR, format!("{id} can't be reversed: it is {what}"))
            }
            Refusal::AboveTheToken { max, currency } => Self::new(
                Code::AM02,
                match max {
                    Some(max) => {
                        format!("this token may move {max} {currency} at most in one payment")
                    }
                    None => format!("this token may move no {currency}"),
                },
            ),
            Refusal::Blocked(id) => Self::new(Code::AC06, format!("account {id} is blocked")),
            Refusal::Closed(id) => Self::new(Code::AC04, format!("account {id} is closed")),
            Refusal::OtherCurrency(id, kept_in) => {
                Self::new(Code::AM03, format!("account {id} is kept in {kept_in}"))
            }
            Refusal::GrowsByDebits(id) => Self::new(
                Code::NARR,
                format!("debits make account {id} grow, so nothing can be held on it"),
            ),
            Refusal::AboveTheHold { held, asked } => Self::new(
                Code::AM02,
                format!("{held} is still held, {asked} asked for"),
            ),
            Refusal::AboveTheRest { rest, asked } => Self::new(
                Code::AM02,
                format!("{rest} can still be reversed, {asked} asked for"),
            ),
            Refusal::AllReversed(id) => {
                Self::new(Code::NARR, format!("all of {id} was reversed before"))
            }
            Refusal::Account(id, cannot) => cannot.reason(id),
        }
    }
}

impl Cannot {
    fn reason(self, account: AccountId) -> Reason {
        match self {
            Self::Insufficient { available, needed } => Reason::new(
                Code::AM04,
                match available {
                    Some(available) => {
                        format!("account {account} has {available} available, {needed} needed")
                    }
                    None => format!("account {account} has not enough available, {needed} needed"),
                },
            ),
            Self::BelowMinimum { minimum } => Reason::new(
                Code::AM04,
                match minimum {
                    Some(minimum) => format!("{minimum} must stay on account {account}"),
                    None => format!("account {account} has not enough available"),
                },
            ),
            Self::AboveMaximum { room } => Reason::new(
                Code::AM02,
                match room {
                    Some((max, posted)) => {
                        format!("account {account} may hold {max} at most and holds {posted}")
                    }
                    None => format!("account {account} may not hold so much"),
                },
            ),
            Self::AboveVelocity { detail } => Reason::new(
                Code::AM14,
                match detail.map(|detail| *detail) {
                    None => format!("account {account} has reached a limit"),
                    Some(Velocity { window, of }) => match of {
                        VelocityOf::Amount { spent, asked, max } => format!(
                            "{max} may leave account {account} in one {window}: {spent} has, {asked} asked for"
                        ),
                        VelocityOf::Count { max } => {
                            format!(
                                "account {account} may pay {max} times in one {window}, and has"
                            )
                        }
                    },
                },
            ),
            Self::Overflow => {
                Reason::new(Code::AM12, format!("account {account} can't hold so much"))
            }
        }
    }
}
