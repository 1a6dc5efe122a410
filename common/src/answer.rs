//! The bodies that stand in SETTLEMENTS: message N is the answer to request N.
//!
//! Every field is always present, `null` where it has no value, so that a reader never has to ask which of the two it is.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, ClientId, PaymentId};
use crate::request::Category;

/// An answer of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To a payment request; this one is called its settlement event.
    Payment(PaymentAnswer),
    /// To an account request.
    Account(AccountAnswer),
    /// To a key announcement.
    Key(KeyAnswer),
    /// To a request of no known kind.
    Unknown(UnknownAnswer),
}

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "payment.settled.v1, payment.rejected.v1, payment.duplicate.v1")]
pub struct PaymentAnswer {
    /// Sequence of the request in REQUESTS and of this answer in SETTLEMENTS.
    pub request_seq: u64,
    /// `null` when the request was too malformed to read it.
    pub payment_id: Option<PaymentId>,
    /// Whose payment it is; from the subject, which the broker guards.
    pub client_id: ClientId,
    /// The outcome.
    pub status: PaymentStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// The account that was to pay.
    pub debtor_account: Option<AccountId>,
    /// The account that was to be paid.
    pub creditor_account: Option<AccountId>,
    /// With all decimals of its currency; as it was sent when it is no amount.
    pub amount: Option<String>,
    /// As it was sent.
    pub currency: Option<String>,
    /// As it was sent.
    pub reference: Option<String>,
    /// What was booked: empty unless settled.
    pub postings: Vec<Posting>,
    /// For a duplicate and for AM05: the outcome of the first request with this payment id.
    pub original: Option<Original>,
    /// Nothing was decided about the payment itself (no valid token, headers that contradict the body): the same
    /// `payment_id` is free and may be sent again. Otherwise it is used up.
    pub may_retry: bool,
    /// The broker's timestamp of the request, the time at which it was judged.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The outcome of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Booked.
    Settled,
    /// Not booked, `reason` says why.
    Rejected,
    /// Asked before with the same content; nothing was booked now.
    Duplicate,
}

/// One debit or credit on one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Posting {
    /// The account.
    pub account: AccountId,
    /// The side.
    pub direction: Direction,
    /// Above zero, with all decimals of the currency.
    pub amount: String,
    /// The account's posted balance after it, on the account's normal side.
    pub balance: String,
}

/// The side of a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Left: assets and expenses grow.
    Debit,
    /// Right: liabilities, equity and income grow.
    Credit,
}

/// The outcome that a duplicate repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Original {
    /// The sequence that answered it.
    pub request_seq: u64,
    /// Its outcome.
    pub status: PaymentStatus,
    /// Why, if it was rejected.
    pub reason: Option<Code>,
}

/// What became of an account request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "account.opened.v1, account.rejected.v1, account.duplicate.v1")]
pub struct AccountAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// `null` when the request was too malformed to read it.
    pub account_id: Option<AccountId>,
    /// Who asked.
    pub client_id: ClientId,
    /// The outcome.
    pub status: AccountStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// Whose account it is.
    pub owner: Option<String>,
    /// Its currency.
    pub currency: Option<String>,
    /// Its place in the bank's books.
    pub category: Option<Category>,
    /// Its name.
    pub name: Option<String>,
    /// How far below zero it may go.
    pub overdraft_limit: Option<String>,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The outcome of an account request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// The account exists now.
    Opened,
    /// Nothing changed.
    Rejected,
    /// It exists already, with the same terms.
    Duplicate,
}

/// What became of a key announcement. Readers learn the keys from here: only noted ones count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "key.noted.v1, key.rejected.v1, key.duplicate.v1")]
pub struct KeyAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// The key's name.
    pub kid: Option<String>,
    /// The outcome.
    pub status: KeyStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// The `iss` of its tokens.
    pub issuer: Option<String>,
    /// RSA modulus, base64url.
    pub n: Option<String>,
    /// RSA public exponent, base64url.
    pub e: Option<String>,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The outcome of a key announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Tokens it signs are accepted in every request behind this one.
    Noted,
    /// It is not accepted.
    Rejected,
    /// It was known.
    Duplicate,
}

/// The rejection of a request whose subject is no known kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "request.rejected.v1")]
pub struct UnknownAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// Always rejected.
    pub status: RejectedStatus,
    /// Why.
    pub reason: Reason,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The one outcome of a request of no known kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectedStatus {
    /// Nothing changed.
    Rejected,
}

/// Why something was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// For programs.
    pub code: Code,
    /// For people; the wording may change.
    pub message: String,
}

impl Reason {
    /// A reason with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident),* $(,)?) => {
        /// Reason codes. Source: ISO 20022 external status reason codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $($(#[$doc])* $code),*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The four characters on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code)),* }
            }
        }
    };
}

codes! {
    /// The debtor's account is unknown.
    AC02,
    /// The creditor's account is unknown.
    AC03,
    /// An account is closed.
    AC04,
    /// An account is blocked.
    AC06,
    /// The caller may not do this.
    AG01,
    /// The currency is unknown or not the accounts'.
    AM03,
    /// Not enough funds.
    AM04,
    /// The same id with another content.
    AM05,
    /// The amount is invalid.
    AM12,
    /// The request is malformed.
    FF01,
    /// The date is invalid.
    DT01,
    /// See the message.
    NARR,
}

impl Code {
    /// The code of a word from the database.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
}

impl PaymentStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
        }
    }
}

impl Answer {
    /// The answer's `ce-type`.
    #[must_use]
    pub fn ce_type(&self) -> &'static str {
        match self {
            Self::Payment(answer) => match answer.status {
                PaymentStatus::Settled => "payment.settled.v1",
                PaymentStatus::Rejected => "payment.rejected.v1",
                PaymentStatus::Duplicate => "payment.duplicate.v1",
            },
            Self::Account(answer) => match answer.status {
                AccountStatus::Opened => "account.opened.v1",
                AccountStatus::Rejected => "account.rejected.v1",
                AccountStatus::Duplicate => "account.duplicate.v1",
            },
            Self::Key(answer) => match answer.status {
                KeyStatus::Noted => "key.noted.v1",
                KeyStatus::Rejected => "key.rejected.v1",
                KeyStatus::Duplicate => "key.duplicate.v1",
            },
            Self::Unknown(_) => "request.rejected.v1",
        }
    }

    /// What it is about, for `ce-subject`: the payment's, account's or key's id.
    #[must_use]
    pub fn about(&self) -> Option<String> {
        match self {
            Self::Payment(answer) => answer.payment_id.map(|id| id.to_string()),
            Self::Account(answer) => answer.account_id.map(|id| id.to_string()),
            Self::Key(answer) => answer.kid.clone(),
            Self::Unknown(_) => None,
        }
    }

    /// The status and the reason code, as words.
    #[must_use]
    pub fn outcome(&self) -> (&'static str, Option<Code>) {
        let code = |reason: &Option<Reason>| reason.as_ref().map(|reason| reason.code);
        match self {
            Self::Payment(answer) => (answer.status.as_str(), code(&answer.reason)),
            Self::Account(answer) => match answer.status {
                AccountStatus::Opened => ("opened", None),
                AccountStatus::Rejected => ("rejected", code(&answer.reason)),
                AccountStatus::Duplicate => ("duplicate", None),
            },
            Self::Key(answer) => match answer.status {
                KeyStatus::Noted => ("noted", None),
                KeyStatus::Rejected => ("rejected", code(&answer.reason)),
                KeyStatus::Duplicate => ("duplicate", None),
            },
            Self::Unknown(answer) => ("rejected", Some(answer.reason.code)),
        }
    }

    /// The sequence that it answers.
    #[must_use]
    pub fn request_seq(&self) -> u64 {
        match self {
            Self::Payment(answer) => answer.request_seq,
            Self::Account(answer) => answer.request_seq,
            Self::Key(answer) => answer.request_seq,
            Self::Unknown(answer) => answer.request_seq,
        }
    }

    /// The body as it is published and stored.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let json = match self {
            Self::Payment(answer) => serde_json::to_vec(answer),
            Self::Account(answer) => serde_json::to_vec(answer),
            Self::Key(answer) => serde_json::to_vec(answer),
            Self::Unknown(answer) => serde_json::to_vec(answer),
        };
        json.expect("these structs hold only texts, numbers and lists of them")
    }

    /// Reads a published answer: its `ce-type` and body.
    ///
    /// # Errors
    /// When the type is unknown or the body is not what the type says.
    pub fn from_json(ce_type: &str, body: &[u8]) -> Result<Self, serde_json::Error> {
        match ce_type.split_once('.').map(|(family, _)| family) {
            Some("payment") => serde_json::from_slice(body).map(Self::Payment),
            Some("account") => serde_json::from_slice(body).map(Self::Account),
            Some("key") => serde_json::from_slice(body).map(Self::Key),
            _ => serde_json::from_slice(body).map(Self::Unknown),
        }
    }
}

/// Times on the wire: UTC with six decimals, `2026-11-23T17:20:21.000042Z`.
pub mod timestamp {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    /// The text on the wire.
    #[must_use]
    pub fn text(time: &DateTime<Utc>) -> String {
        time.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// Writes the text on the wire.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(time))
    }

    /// Reads any RFC 3339 time.
    ///
    /// # Errors
    /// When it is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        DateTime::<Utc>::deserialize(deserializer)
    }
}
