//! Why something was rejected: a code for programs and a sentence for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// The amount is above a limit.
    AM02,
    /// The currency is unknown or not the accounts'.
    AM03,
    /// Not enough funds.
    AM04,
    /// The same id with another content.
    AM05,
    /// The amount is invalid.
    AM12,
    /// More than was agreed on for a day or a month.
    AM14,
    /// The request is malformed.
    FF01,
    /// The date is invalid.
    DT01,
    /// There is no such original.
    NOOR,
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
