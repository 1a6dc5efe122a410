//! What tokens are verified with: keys, revocations and rules, as the ledger has noted them.

use common::kinds::rules::LOG_TOKENS;
use common::token::{Keys, Policy, Revocations};
use sqlx::PgConnection;

use crate::store;

/// What tokens are verified with.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) keys: Keys,
    pub(crate) revocations: Revocations,
    /// The version of the rules that the log is decided by.
    pub(crate) rules: u32,
}

impl Trust {
    /// What the tokens of messages are judged by.
    pub(crate) fn policy_of_the_log(&self) -> Policy {
        if self.rules >= LOG_TOKENS {
            Policy::LOG
        } else {
            Policy::HTTP
        }
    }
}

/// What tokens are verified with.
pub(super) async fn trust(db: &mut PgConnection) -> sqlx::Result<Trust> {
    let mut keys = Keys::default();
    for row in store::keys(&mut *db).await? {
        if let Err(error) = keys.insert(&row.kid, &row.issuer, &row.n, &row.e) {
            tracing::error!(%error, kid = row.kid, "a noted key is not used");
        }
    }
    let revocations = store::revocations(&mut *db).await?;
    Ok(Trust {
        keys,
        revocations,
        rules: store::rules(db).await?,
    })
}
