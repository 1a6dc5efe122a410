//! What a service account proves itself with: a secret of ours, or a key of its own. Two may overlap.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::token::Target;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Error, secret_hash};
use crate::keys::public::PublicHalf;
use crate::store;
use crate::store::clients::credentials::NewCredential;
use crate::store::events::Event;

/// What is kept of a credential.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// SHA-256 of a secret.
    Secret(Vec<u8>),
    /// The public half of an RSA key.
    Key { kid: String, n: String, e: String },
}

impl Proof {
    /// A new secret of 256 random bits, and what is kept of it.
    pub(crate) fn new_secret() -> (String, Self) {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).expect("the system has randomness");
        let secret = URL_SAFE_NO_PAD.encode(bytes);
        let kept = Self::Secret(secret_hash(&secret));
        (secret, kept)
    }

    /// A public key: a JWK (an object), or PEM (a text).
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is neither, or weak, or a private key.
    pub(crate) fn from_public_key(key: &Value) -> Result<Self, Error> {
        let PublicHalf { kid, n, e } = PublicHalf::read(key)
            .map_err(|error| Error::Invalid(format!("public_key: {error}")))?;
        Ok(Self::Key { kid, n, e })
    }
}

/// Adds a credential to an account.
///
/// # Errors
/// [`Error::NoAccount`], [`Error::TwoCredentials`], [`Error::Invalid`], or when the database is away.
pub(crate) async fn add_to(
    pool: &PgPool,
    actor: &str,
    client_id: &str,
    proof: &Proof,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Uuid, Error> {
    let mut tx = pool.begin().await?;
    if store::clients::lock(&mut *tx, client_id).await?.is_none() {
        return Err(Error::NoAccount);
    }
    let id = add(&mut tx, Some(actor), client_id, proof, expires_at, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// The same in a transaction that has locked the account.
pub(crate) async fn add(
    tx: &mut PgConnection,
    actor: Option<&str>,
    client_id: &str,
    proof: &Proof,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Uuid, Error> {
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Error::Invalid("expires_at: it has passed".to_owned()));
    }
    let id = Uuid::now_v7();
    let mut new = NewCredential {
        id,
        client_id,
        kind: "secret",
        secret_sha256: None,
        kid: None,
        n: None,
        e: None,
        expires_at,
    };
    match proof {
        Proof::Secret(sha256) => new.secret_sha256 = Some(sha256),
        Proof::Key { kid, n, e } => {
            new.kind = "key";
            new.kid = Some(kid);
            new.n = Some(n);
            new.e = Some(e);
        }
    }
    if !store::clients::credentials::insert(&mut *tx, &new, now).await? {
        return Err(Error::TwoCredentials);
    }
    let event = Event {
        what: "credential.added",
        actor,
        about: Some(client_id),
        detail: json!({"credential": id, "kind": new.kind, "kid": new.kid}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    Ok(id)
}

/// Deletes a credential, and revokes the tokens that were issued for it. The revocation's id.
///
/// # Errors
/// [`Error::NoAccount`], [`Error::NoCredential`], or when the database is away.
pub(crate) async fn delete(
    pool: &PgPool,
    actor: &str,
    client_id: &str,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Uuid, Error> {
    let mut tx = pool.begin().await?;
    if store::clients::lock(&mut *tx, client_id).await?.is_none() {
        return Err(Error::NoAccount);
    }
    if !store::clients::credentials::delete(&mut *tx, client_id, id, now).await? {
        return Err(Error::NoCredential);
    }
    let revocation = ended(&mut tx, Some(actor), client_id, id, now).await?;
    tx.commit().await?;
    Ok(revocation)
}

/// Revokes the tokens of a credential that has just been deleted, and notes it.
pub(crate) async fn ended(
    tx: &mut PgConnection,
    actor: Option<&str>,
    client_id: &str,
    id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Uuid> {
    let event = Event {
        what: "credential.deleted",
        actor,
        about: Some(client_id),
        detail: json!({"credential": id}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    let target = Target::Session {
        sid: id.to_string(),
    };
    store::revocations::request(&mut *tx, &target, "credential_deleted", now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::signing_key;

    #[test]
    fn a_public_key_is_taken_as_jwk_and_nothing_else_is() {
        let key = signing_key();
        let jwk = json!({"kty": "RSA", "n": key.n, "e": key.e, "use": "sig", "alg": "RS256", "kid": "mine"});
        let expected = Proof::Key {
            kid: key.kid.clone(),
            n: key.n.clone(),
            e: key.e.clone(),
        };
        assert_eq!(Proof::from_public_key(&jwk).expect("a key"), expected);
        for (name, value) in [
            ("kty", json!("EC")),
            ("n", json!("AQAB")),
            ("n", json!(1)),
            ("e", json!("Aw")),
            ("alg", json!("HS256")),
            ("use", json!("enc")),
            ("d", json!("AQAB")),
        ] {
            let mut bad = jwk.clone();
            bad[name] = value;
            let error = Proof::from_public_key(&bad).expect_err(name).to_string();
            assert!(error.starts_with("public_key: "), "{error}");
        }
        for bad in [json!(null), json!([]), json!("-----BEGIN PUBLIC KEY-----")] {
            assert!(Proof::from_public_key(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_differ_and_their_hash_is_kept() {
        let ((one, kept), (other, _)) = (Proof::new_secret(), Proof::new_secret());
        assert_ne!(one, other);
        assert_eq!(kept, Proof::Secret(secret_hash(&one)));
        assert_eq!(one.len(), 43);
    }
}
