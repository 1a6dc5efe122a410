//! A request that has passed.

use std::sync::Arc;

use common::token::Verified;

/// What a request asks for, and the token that allows asking.
#[derive(Debug, Clone)]
pub struct Accepted<R> {
    /// What the token says.
    pub token: Arc<Verified>,
    /// What is asked for.
    pub request: R,
}
