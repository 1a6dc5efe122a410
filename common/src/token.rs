//! Who may send: a token in, its claims or the one rule that it broke out. Pure; time and keys are arguments.
//!
//! A request is judged at its published time, so a backlog never turns a valid payment invalid and a harvested token is
//! worthless after `exp`. Rules in the order they are applied, cheap ones first, one [`TokenError`] each:
//! shape, header (only RS256 and `at+jwt`; nothing but `alg`, `typ` and `kid` is understood, so `crit`, `jku`, `jwk` and
//! `x5u` are refused), key, signature, claims and their JSON types, issuer, audience, lifetime, then `nbf` and `exp`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::ClientId;

/// The `aud` of every token that this system's services accept.
pub const AUDIENCE: &str = "quittance";
/// The `typ` of an access token. Source: RFC 9068.
pub const ACCESS_TYP: &str = "at+jwt";
/// The `token_type` of an access token. Source: SimpleJWT.
pub const ACCESS_TOKEN_TYPE: &str = "access";
/// Longest token, in bytes: ours are about 900, a NATS header block holds 4096 well.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Longest life of an access token. Whoever finds one in a stream's files has this long at most.
pub const LIFETIME_SECONDS_MAX: i64 = 900;
/// Longest `sub`, `jti` or `user_id`, in characters. The ledger keeps them; a UUID has 36, an e-mail address fits.
pub const NAME_CHARS_MAX: usize = 128;
/// RSA moduli that are accepted, in bits.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// 65537, the only public exponent that is accepted, base64url.
const EXPONENT: &str = "AQAB";

/// What an access token says. `token_type` and `user_id` are SimpleJWT's, so verifiers of the old system read it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the issuer that the key was announced with.
    pub iss: String,
    /// Whose accounts it may use.
    pub sub: String,
    /// Always [`AUDIENCE`].
    pub aud: String,
    /// The producer.
    pub client_id: ClientId,
    /// Space-separated [`Scope`]s; unknown ones grant nothing.
    pub scope: String,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Not valid before, in seconds since 1970.
    pub nbf: i64,
    /// Not valid from this second on.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
    /// Always [`ACCESS_TOKEN_TYPE`].
    pub token_type: String,
    /// The person's or service account's id.
    pub user_id: String,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Pay from accounts that the subject owns.
    PaymentsSubmit,
    /// Pay from any customer's account: a trusted platform.
    PaymentsSubmitAny,
    /// Read payments.
    PaymentsRead,
    /// Read accounts.
    AccountsRead,
    /// Open accounts.
    AccountsWrite,
    /// Anything with any account, the bank's own too.
    BankOperate,
    /// Administer auth.
    AuthAdmin,
    /// Read the logs.
    AuditRead,
}

impl Scope {
    /// The word in a token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaymentsSubmit => "payments:submit",
            Self::PaymentsSubmitAny => "payments:submit-any",
            Self::PaymentsRead => "payments:read",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::BankOperate => "bank:operate",
            Self::AuthAdmin => "auth:admin",
            Self::AuditRead => "audit:read",
        }
    }
}

impl Claims {
    /// Whether the token carries one of these scopes.
    #[must_use]
    pub fn allows_any(&self, scopes: &[Scope]) -> bool {
        self.scope
            .split_ascii_whitespace()
            .any(|word| scopes.iter().any(|scope| scope.as_str() == word))
    }

    /// Whether the token carries this scope.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.allows_any(&[scope])
    }
}

/// The rule that a token broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("token_missing: send `Authorization: Bearer <token>`")]
    Missing,
    /// More than [`TOKEN_BYTES_MAX`].
    #[error("token_oversize: a token has at most {TOKEN_BYTES_MAX} bytes")]
    Oversize,
    /// Not three base64url parts with JSON in the first two.
    #[error("token_malformed: this is no JWT")]
    Malformed,
    /// Not RS256.
    #[error("alg_rejected: only RS256 is accepted")]
    Algorithm,
    /// Not `at+jwt`.
    #[error("typ_rejected: only access tokens (typ at+jwt) are accepted")]
    Type,
    /// A header parameter besides `alg`, `typ` and `kid`.
    #[error("header_rejected: the header may hold alg, typ and kid only")]
    Header,
    /// No such key has been announced.
    #[error("key_unknown: no key with this kid has been announced")]
    KeyUnknown,
    /// The signature is not this key's.
    #[error("bad_signature: the signature does not fit the key")]
    Signature,
    /// A required claim is missing, twice there, of the wrong JSON type, or a name that can't be kept.
    #[error("claim_invalid: a required claim is missing or has the wrong type or form")]
    Claim,
    /// Not issued by the owner of the key.
    #[error("iss_rejected: the issuer is not the key's")]
    Issuer,
    /// For somebody else.
    #[error("aud_rejected: the audience is not {AUDIENCE}")]
    Audience,
    /// A refresh token, or one that lives too long.
    #[error("lifetime_rejected: an access token lives at most {LIFETIME_SECONDS_MAX} s")]
    Lifetime,
    /// `nbf` is after the moment of judgement.
    #[error("not_yet_valid: the token was not valid yet when this was published")]
    NotYetValid,
    /// `exp` is not after the moment of judgement.
    #[error("expired_at_publish: the token had expired when this was published")]
    Expired,
}

/// The keys that have been announced, by `kid`.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<String, Key>);

#[derive(Debug, Clone)]
struct Key {
    issuer: String,
    public: DecodingKey,
}

/// Why a public key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not RSA, or weak.
    #[error("the key is not RSA with 2048 to 4096 bits and the exponent 65537")]
    Weak,
    /// Named otherwise than by its thumbprint.
    #[error("the kid is not the key's RFC 7638 thumbprint")]
    Thumbprint,
}

/// The `kid` of an RSA public key: its RFC 7638 SHA-256 thumbprint.
///
/// # Errors
/// [`KeyError::Weak`] when the parts are no acceptable RSA key.
pub fn thumbprint(n: &str, e: &str) -> Result<String, KeyError> {
    let modulus = URL_SAFE_NO_PAD.decode(n).map_err(|_| KeyError::Weak)?;
    let zeros = modulus
        .first()
        .map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(8));
    let bits = (modulus.len() * 8).saturating_sub(zeros);
    // A leading zero byte would give one key two thumbprints.
    if e != EXPONENT || zeros >= 8 || !MODULUS_BITS.contains(&bits) {
        return Err(KeyError::Weak);
    }
    let public = DecodingKey::from_rsa_components(n, e).map_err(|_| KeyError::Weak)?;
    Jwk::from_decoding_key(&public, Some(Algorithm::RS256))
        .and_then(|jwk| jwk.thumbprint(ThumbprintHash::SHA256))
        .map_err(|_| KeyError::Weak)
}

impl Keys {
    /// Takes a key in. The same key again changes nothing: it keeps the issuer that it came with.
    ///
    /// # Errors
    /// [`KeyError`]; then nothing has changed.
    pub fn insert(&mut self, kid: &str, issuer: &str, n: &str, e: &str) -> Result<(), KeyError> {
        if thumbprint(n, e)? != kid {
            return Err(KeyError::Thumbprint);
        }
        let public = DecodingKey::from_rsa_components(n, e).map_err(|_| KeyError::Weak)?;
        self.0.entry(kid.to_owned()).or_insert_with(|| Key {
            issuer: issuer.to_owned(),
            public,
        });
        Ok(())
    }

    /// Whether this key is known.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// The keys and whose they are, for comparing. A `kid` is its key's thumbprint, so it stands for the key.
    #[must_use]
    pub fn issuers(&self) -> BTreeMap<&str, &str> {
        self.0
            .iter()
            .map(|(kid, key)| (&**kid, &*key.issuer))
            .collect()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the header of an access token holds, and all that it may hold.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `RS256`.
    pub alg: String,
    /// Always [`ACCESS_TYP`].
    pub typ: String,
    /// Names the key.
    pub kid: String,
}

/// A verified token: its claims and the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// Who signed it.
    pub kid: String,
}

/// Judges a token at a moment.
///
/// # Errors
/// The first rule that it breaks.
pub fn verify(token: &str, at: DateTime<Utc>, keys: &Keys) -> Result<Verified, TokenError> {
    let verified = untimed(token, keys)?;
    timely(&verified, at)?;
    Ok(verified)
}

/// Every rule but those of time.
fn untimed(token: &str, keys: &Keys) -> Result<Verified, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Oversize);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let header = read_header(header)?;
    let key = keys.0.get(&header.kid).ok_or(TokenError::KeyUnknown)?;
    match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.public, Algorithm::RS256)
    {
        Ok(true) => {}
        Ok(false) => return Err(TokenError::Signature),
        Err(_) => return Err(TokenError::Malformed),
    }
    let payload = URL_SAFE_NO_PAD
        .decode(payload)
        .map_err(|_| TokenError::Malformed)?;
    // serde also fills a struct from a list of its values; a claims set is an object (RFC 7519 §4).
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Claim);
    }
    // A struct, not a `Value`: serde refuses a known claim that stands there twice.
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| TokenError::Claim)?;
    let names = [&claims.sub, &claims.jti, &claims.user_id];
    if !names.into_iter().all(|name| is_storable(name)) {
        return Err(TokenError::Claim);
    }
    if claims.iss != key.issuer {
        return Err(TokenError::Issuer);
    }
    if claims.aud != AUDIENCE {
        return Err(TokenError::Audience);
    }
    let lives = claims.exp.checked_sub(claims.iat);
    if claims.token_type != ACCESS_TOKEN_TYPE
        || !lives.is_some_and(|lives| (1..=LIFETIME_SECONDS_MAX).contains(&lives))
    {
        return Err(TokenError::Lifetime);
    }
    Ok(Verified {
        claims,
        kid: header.kid,
    })
}

/// Whether a name can be kept as text: PostgreSQL's holds no NUL, and people read it on terminals.
fn is_storable(name: &str) -> bool {
    name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control)
}

/// The last two rules, the only ones that look at the time.
fn timely(verified: &Verified, at: DateTime<Utc>) -> Result<(), TokenError> {
    if at.timestamp() < verified.claims.nbf {
        return Err(TokenError::NotYetValid);
    }
    if at.timestamp() >= verified.claims.exp {
        return Err(TokenError::Expired);
    }
    Ok(())
}

/// Tokens that have passed every rule but those of time, so that one that comes with a thousand payments costs one
/// signature check (23 µs) and not a thousand. The time is judged anew for each.
///
/// It goes with one set of [`Keys`] from which none is ever removed: a key more changes nothing for a token that passed.
#[derive(Debug, Default)]
pub struct CheckedTokens(HashMap<String, Arc<Verified>, foldhash::quality::RandomState>);

/// Most tokens remembered: at about 2 kB each, 32 MB. When it is full it starts anew.
const CHECKED_TOKENS_MAX: usize = 16_384;

impl CheckedTokens {
    /// As [`verify`].
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn verify(
        &mut self,
        token: &str,
        at: DateTime<Utc>,
        keys: &Keys,
    ) -> Result<Arc<Verified>, TokenError> {
        if let Some(verified) = self.0.get(token) {
            return timely(verified, at).map(|()| verified.clone());
        }
        let verified = Arc::new(untimed(token, keys)?);
        timely(&verified, at)?;
        if self.0.len() >= CHECKED_TOKENS_MAX {
            self.0.clear();
        }
        self.0.insert(token.to_owned(), verified.clone());
        Ok(verified)
    }
}

fn read_header(header: &str) -> Result<Header, TokenError> {
    /// Enough of any JWT's header to say which rule it breaks.
    #[derive(Deserialize)]
    struct Loose {
        alg: Option<String>,
        typ: Option<String>,
    }
    let json = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| TokenError::Malformed)?;
    let loose: Loose = serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)?;
    if loose.alg.as_deref() != Some("RS256") {
        return Err(TokenError::Algorithm);
    }
    if loose.typ.as_deref() != Some(ACCESS_TYP) {
        return Err(TokenError::Type);
    }
    serde_json::from_slice(&json).map_err(|_| TokenError::Header)
}

/// The token in the value of an `Authorization` header. The scheme's case does not matter (RFC 9110).
///
/// # Errors
/// [`TokenError::Missing`] for another scheme or an empty token.
pub fn bearer(value: &str) -> Result<&str, TokenError> {
    let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(TokenError::Missing)
    }
}

/// A new token id: 32 hex digits, as SimpleJWT's.
#[must_use]
pub fn new_jti() -> String {
    Uuid::new_v4().simple().to_string()
}
