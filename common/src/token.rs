//! Permission to send: a token in, its claims or the one rule that it broke out. Pure; time and keys are arguments.

mod claims;
mod error;
mod keys;
mod revocations;
mod verify;

mod checked;

pub use checked::CheckedTokens;
pub use claims::{
    ACCESS_TOKEN_TYPE, ACCESS_TYP, Actor, Audience, Claims, LEEWAY_SECONDS, LIFETIME_SECONDS_MAX,
    Scope, new_jti,
};
pub use error::{TOKEN_BYTES_MAX, TokenError};
pub use keys::{KeyError, Keys, thumbprint};
pub use revocations::{Revocations, Target};
pub use verify::{Header, Policy, Times, Verified, bearer, verify};
