//! Who asks for a page: the operator's session and a token that is good now. Whoever is not signed in is led there.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::Value;

use crate::app::App;
use crate::failure::Failure;
use crate::page::Frame;
use crate::prefix::Prefix;
use crate::session::Session;

/// Who asks.
pub(crate) struct Operator {
    pub(crate) session: Arc<Session>,
    /// For the services.
    pub(crate) token: String,
    pub(crate) prefix: Prefix,
}

impl Operator {
    /// The frame of a page for them.
    pub(crate) fn frame(&self, title: impl Into<String>, section: &'static str) -> Frame {
        Frame::of(title.into(), section, &self.session, &self.prefix)
    }

    /// The address of the page behind this one, as a service names it in a list: its query, at a path of ours.
    pub(crate) fn next(&self, found: &client::Result<Value>, path: &str) -> Option<String> {
        let list = found.as_ref().ok()?;
        let (_, query) = list["next"].as_str()?.split_once('?')?;
        Some(self.prefix.at(&format!("{path}?{query}")))
    }

    /// May they do this?
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.session.allows(scope)
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let prefix = Prefix::here();
        let sign_in = || {
            let OriginalUri(uri) = parts
                .extensions
                .get()
                .cloned()
                .unwrap_or_else(|| OriginalUri(parts.uri.clone()));
            let next = uri.path_and_query().map_or("/", |path| path.as_str());
            // A stream is no page that could be led anywhere; its page says that it is not live any more.
            if next.starts_with("/live/") {
                return Failure::NotLive(StatusCode::UNAUTHORIZED);
            }
            Failure::SignIn {
                next: next.to_owned(),
            }
        };
        let Some(session) = app.sessions.of(&parts.headers) else {
            return Err(sign_in());
        };
        match session.token(&app.client).await {
            Ok(token) => Ok(Self {
                session,
                token,
                prefix,
            }),
            // Auth has ended it: by a log-out elsewhere, a new password, an administrator.
            Err(client::Error::Refused(refused)) if refused.status == StatusCode::UNAUTHORIZED => {
                app.sessions.remove(&parts.headers);
                Err(sign_in())
            }
            Err(error) => Err(Failure::of(error, &prefix)),
        }
    }
}
