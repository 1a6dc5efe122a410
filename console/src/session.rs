//! Who is signed in: the tokens of each operator stay here, the browser has a random name for them and nothing else.
//!
//! Sessions live in memory: nothing that could be stolen is stored, and after a restart people sign in again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use client::Client;
use common::service::now;
use serde::Deserialize;
use uuid::Uuid;

/// The cookie's name. Without `__Host-`: a bank on one machine has no TLS.
const COOKIE: &str = "quittance-console";
/// Without a request for so long, a session is over.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);
/// So long after it began, a session is over.
const AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Sessions at a time. Each takes a password, so no stranger makes one.
const SESSIONS_MAX: usize = 10_000;
/// A token is exchanged for the next one so long before it ends.
const REFRESH_BEFORE: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// One operator who is signed in.
pub(crate) struct Session {
    pub(crate) email: String,
    /// Whose requests its operator's are.
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    /// What every form of this session carries.
    pub(crate) csrf: String,
    /// It was signed out; what is live ends.
    ended: AtomicBool,
    began: Instant,
    used: Mutex<Instant>,
    tokens: tokio::sync::Mutex<Tokens>,
}

struct Tokens {
    access: String,
    access_ends: DateTime<Utc>,
    refresh: String,
}

/// What is read of a token that auth has just issued.
#[derive(Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    client_id: String,
}

/// Everybody who is signed in.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Session {
    /// Of auth's answer to a log-in; `None` when it is not one.
    pub(crate) fn begin(email: &str, access: &str, refresh: &str) -> Option<Self> {
        let claims = claims(access)?;
        Some(Self {
            email: email.to_owned(),
            client_id: claims.client_id,
            scopes: claims.scope.split(' ').map(str::to_owned).collect(),
            csrf: random(),
            ended: AtomicBool::new(false),
            began: Instant::now(),
            used: Mutex::new(Instant::now()),
            tokens: tokio::sync::Mutex::new(Tokens {
                access: access.to_owned(),
                access_ends: DateTime::from_timestamp(claims.exp, 0)?,
                refresh: refresh.to_owned(),
            }),
        })
    }

    /// May its operator do this?
    pub(crate) fn allows(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// An access token that is good for a moment at least.
    ///
    /// # Errors
    /// When the session is over at auth, or auth does not answer.
    pub(crate) async fn token(self: &Arc<Self>, client: &Client) -> client::Result<String> {
        let (session, client) = (self.clone(), client.clone());
        // A browser that goes away must not lose the next refresh token: the one before it is spent.
        let fetched = tokio::spawn(async move { session.fresh(&client).await }).await;
        fetched.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()))
    }

    async fn fresh(&self, client: &Client) -> client::Result<String> {
        // Whoever comes second takes what the first has fetched.
        let mut tokens = self.tokens.lock().await;
        if tokens.access_ends - REFRESH_BEFORE <= now() {
            let answer = client.refresh(&tokens.refresh).await?;
            let text = |name: &str| answer[name].as_str().map(str::to_owned);
            let next = text("access").and_then(|access| {
                let exp = claims(&access)?.exp;
                Some(Tokens {
                    access_ends: DateTime::from_timestamp(exp, 0)?,
                    refresh: text("refresh").unwrap_or_else(|| tokens.refresh.clone()),
                    access,
                })
            });
            *tokens = next.ok_or_else(|| client::Error::Unreadable {
                service: "auth".to_owned(),
                cause: "an answer without a token".to_owned(),
            })?;
        }
        Ok(tokens.access.clone())
    }

    /// Ends the session at auth too.
    ///
    /// # Errors
    /// When auth does not answer; its tokens then last until their own end.
    pub(crate) async fn end(&self, client: &Client) -> client::Result<()> {
        let refresh = self.tokens.lock().await.refresh.clone();
        client.log_out(&refresh).await
    }

    /// It was signed out, or lasted too long.
    pub(crate) fn is_over(&self) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.load(Ordering::Relaxed)
            || self.began.elapsed() > AGE_MAX
            || used.elapsed() > IDLE_MAX
    }
}

impl Sessions {
    /// Takes a session in and returns its name, which nobody knew before.
    pub(crate) fn insert(&self, session: Session) -> String {
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over());
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                sessions.remove(&oldest);
            }
        }
        let name = random();
        sessions.insert(name.clone(), Arc::new(session));
        name
    }

    /// The session that a request belongs to.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let name = cookie(headers)?;
        let mut sessions = self.lock();
        let session = sessions.get(name)?.clone();
        if session.is_over() {
            sessions.remove(name);
            return None;
        }
        *session.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Some(session)
    }

    /// Forgets the session of a request.
    pub(crate) fn remove(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let session = self.lock().remove(cookie(headers)?)?;
        session.ended.store(true, Ordering::Relaxed);
        Some(session)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `Set-Cookie` of a session; an empty name takes it away.
pub(crate) fn set_cookie(name: &str, path: &str, is_over_tls: bool) -> String {
    let path = if path.is_empty() { "/" } else { path };
    let secure = if is_over_tls { "; Secure" } else { "" };
    let age = if name.is_empty() { "; Max-Age=0" } else { "" };
    format!("{COOKIE}={name}; Path={path}; HttpOnly; SameSite=Strict{secure}{age}")
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// 244 random bits.
fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Auth has signed it a moment ago, and it came from there: nothing is verified here.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
