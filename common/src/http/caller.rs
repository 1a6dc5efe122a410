//! Who calls: the token of an HTTP request, what it says, and whether that is enough.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use crate::service::now;
use crate::token::{
    CheckedTokens, Claims, Keys, Policy, Revocations, Scope, TokenError, Verified, bearer,
};

/// Where a service gets the announced keys.
pub trait KeySource {
    /// Judges something by the keys and the revocations that are known.
    fn judge<R>(&self, judge: impl FnOnce(&Keys, &Revocations) -> R) -> R;

    /// Learns the keys that were announced up to now.
    fn refresh(&self) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// Lets callers in.
pub struct Callers<K> {
    keys: K,
    /// Tokens that need no signature check any more. Keys are never forgotten here, so a token that passed once still
    /// passes.
    checked: Mutex<CheckedTokens>,
}

/// A token as it was sent, and what it says.
pub struct Caller<'h> {
    /// Without `Bearer`.
    pub token: &'h str,
    verified: Arc<Verified>,
}

impl Caller<'_> {
    /// Who signed it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.verified.kid
    }

    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.verified.claims
    }
}

impl<K: KeySource> Callers<K> {
    /// Judges tokens by these keys.
    pub fn new(keys: K) -> Self {
        Self {
            keys,
            checked: Mutex::default(),
        }
    }

    /// Lets in a caller with a valid token that has one of these scopes.
    ///
    /// # Errors
    /// 401 without a valid token, 403 without such a scope, 503 when the keys can't be refreshed.
    pub async fn authorize<'h>(
        &self,
        headers: &'h HeaderMap,
        scopes: &[Scope],
    ) -> Result<Caller<'h>, Problem> {
        let token = bearer_token(headers)?;
        let verified = self.verify_with_new_keys(token, &[Policy::HTTP]).await?;
        let verified = verified.map_err(Problem::unauthorized)?;
        if !verified.claims.allows_any(scopes) {
            let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            return Err(Problem::forbidden(&words.join(" or ")));
        }
        Ok(Caller { token, verified })
    }

    /// Learns the keys that were announced up to now.
    ///
    /// # Errors
    /// 503 when they can't be had.
    pub async fn refresh(&self) -> Result<(), Problem> {
        self.keys.refresh().await
    }

    /// Judges a token by the first of these policies whose audience it has.
    ///
    /// An unknown key may have been announced a moment ago, so the keys are refreshed once before the answer.
    ///
    /// # Errors
    /// 503 when the keys can't be refreshed; the inner error is the first rule that the token breaks.
    pub async fn verify_with_new_keys(
        &self,
        token: &str,
        policies: &[Policy],
    ) -> Result<Result<Arc<Verified>, TokenError>, Problem> {
        let judge = || {
            let mut verdict = Err(TokenError::Missing);
            for policy in policies {
                verdict = self.verify(token, *policy);
                if !matches!(verdict, Err(TokenError::Audience(_))) {
                    break;
                }
            }
            verdict
        };
        match judge() {
            Err(TokenError::KeyUnknown) => {
                self.keys.refresh().await?;
                Ok(judge())
            }
            verdict => Ok(verdict),
        }
    }

    /// Judges a token by the keys and the revocations that are known.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(&self, token: &str, policy: Policy) -> Result<Arc<Verified>, TokenError> {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        self.keys.judge(|keys, revocations| {
            let verified = checked.verify(token, now, policy, keys)?;
            if revocations.has_revoked(&verified, now) {
                return Err(TokenError::Revoked);
            }
            Ok(verified)
        })
    }
}

/// The token of an HTTP request.
///
/// # Errors
/// 401 when there is none, 400 when there are two: nobody can tell which was meant.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values
        .next()
        .ok_or_else(|| Problem::unauthorized(TokenError::Missing))?;
    if values.next().is_some() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the Authorization header appears twice",
        ));
    }
    value
        .to_str()
        .map_err(|_| TokenError::Malformed)
        .and_then(bearer)
        .map_err(Problem::unauthorized)
}
