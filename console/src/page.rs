//! The frame around every page: title, navigation, search, who is signed in.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};

use crate::assets;
use crate::prefix::Prefix;
use crate::session::Session;

/// A link of the navigation: its section, its path, and the scope it takes.
const SECTIONS: [(&str, &str, &str); 15] = [
    ("Overview", "/", ""),
    ("Payments", "/payments", "audit:read"),
    ("Accounts", "/accounts", "bank:operate"),
    ("Trial balance", "/trial-balance", "audit:read"),
    ("Log", "/log", "audit:read"),
    ("Subscribers", "/subscribers", "audit:read"),
    ("Services", "/services", ""),
    ("Logs", "/logs", "audit:read"),
    ("People", "/people", "auth:admin"),
    ("Programs", "/programs", "auth:admin"),
    ("Keys", "/keys", "auth:admin"),
    ("Audit", "/audit", "audit:read"),
    ("History", "/history", "audit:read"),
    ("Files", "/files", "bank:operate"),
    ("Sessions", "/sessions", ""),
];

/// What the frame shows.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// The section that the page belongs to.
    pub(crate) section: &'static str,
    pub(crate) prefix: Prefix,
    /// The address of who is signed in.
    pub(crate) email: Option<String>,
    /// The secret for forms; empty when nobody is signed in.
    pub(crate) csrf: String,
    scopes: Vec<String>,
}

impl Frame {
    /// Of a page for somebody who is signed in.
    pub(crate) fn of(
        title: String,
        section: &'static str,
        session: &Session,
        prefix: &Prefix,
    ) -> Self {
        Self {
            title,
            section,
            prefix: prefix.clone(),
            email: Some(session.email.clone()),
            csrf: session.csrf.clone(),
            scopes: session.scopes.clone(),
        }
    }

    /// Of a page for anybody.
    pub(crate) fn of_nobody(title: impl Into<String>, prefix: Prefix) -> Self {
        Self {
            title: title.into(),
            section: "",
            prefix,
            email: None,
            csrf: String::new(),
            scopes: Vec::new(),
        }
    }

    /// A path of ours as a browser must ask for it.
    pub(crate) fn at(&self, path: &str) -> String {
        self.prefix.at(path)
    }

    /// The address of a file in `static/`.
    pub(crate) fn asset(&self, file: &str) -> String {
        assets::address(file)
    }

    /// The sections that this operator may see.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&'static str, String)> {
        let allowed = SECTIONS
            .iter()
            .filter(|(_, _, scope)| self.email.is_some() && (scope.is_empty() || self.may(scope)));
        allowed.map(|(name, path, _)| (*name, self.at(path)))
    }

    /// May the operator do this?
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

/// A page as it is answered.
pub(crate) fn html(page: &impl Template) -> Response {
    Html(render(page)).into_response()
}

/// The text of a page.
///
/// # Panics
/// When a value can't be written as text, which is a mistake in its type.
pub(crate) fn render(page: &impl Template) -> String {
    page.render().expect("texts and numbers")
}
