//! Signing in and out. The tokens that auth issues stay on the server.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use client::{Login, needs_code};
use serde::Deserialize;

use crate::app::App;
use crate::failure::{Failure, see_other};
use crate::fields::Fields;
use crate::page::{Frame, html, render};
use crate::prefix::Prefix;
use crate::session::{Session, set_cookie};

/// What the console is for; somebody with neither has nothing to see here.
const STAFF_SCOPES: [&str; 2] = ["bank:operate", "audit:read"];

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    email: String,
    /// Where to go then.
    next: String,
    /// They have a second factor.
    asks_for_code: bool,
    problem: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

pub(super) async fn show(query: Query<Next>) -> Response {
    html(&SignIn {
        frame: Frame::of_nobody("Sign in", Prefix::here()),
        email: String::new(),
        next: query.0.next.unwrap_or_default(),
        asks_for_code: false,
        problem: None,
    })
}

pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let prefix = Prefix::here();
    let fields = Fields::of_stranger(request).await?;
    let email = fields.get("email").unwrap_or_default().to_owned();
    let next = fields.get("next").unwrap_or_default().to_owned();
    let code = fields.get("otp").map(str::to_owned);
    let login = Login::person(&email, fields.exactly("password")).with_otp(code.clone());
    let again = |problem: Option<String>, asks_for_code| {
        let page = SignIn {
            frame: Frame::of_nobody("Sign in", prefix.clone()),
            email: email.clone(),
            next: next.clone(),
            asks_for_code,
            problem,
        };
        (StatusCode::UNAUTHORIZED, Html(render(&page))).into_response()
    };
    let answer = match app.client.log_in(&login).await {
        Ok(answer) => answer,
        Err(error) if needs_code(&error) => {
            let is_wrong = code.is_some();
            let problem =
                is_wrong.then(|| "This code is not right, or was used before.".to_owned());
            return Ok(again(problem, true));
        }
        Err(error) if error.is_unknown() => return Err(Failure::of(error, &prefix)),
        Err(error) => return Ok(again(Some(error.to_string()), code.is_some())),
    };
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let session = Session::begin(&email, text("access"), text("refresh"));
    let session = session.ok_or_else(|| {
        Failure::bad_request("Auth answered with something that is no token.", &prefix)
    })?;
    if !STAFF_SCOPES.iter().any(|scope| session.allows(scope)) {
        let factor = app.client.second_factor_state(text("access")).await;
        let is = |name: &str| factor.as_ref().is_ok_and(|factor| factor[name] == true);
        let problem = if is("is_required") && !is("is_on") {
            "The bank asks its staff for a second factor. Turn one on with `quittance users second-factor enrol`, then sign in again."
        } else {
            "The console is for the bank's staff, and this person is none of them."
        };
        // It only frees what auth remembers; the session ends by itself.
        drop(session.end(&app.client).await);
        return Ok(again(Some(problem.to_owned()), false));
    }
    // A new name: one that was known before somebody signed in is worth nothing.
    app.sessions.remove(&headers);
    let name = app.sessions.insert(session);
    let mut response = see_other(path_of(&next));
    let cookie = cookie_for(&headers, &prefix, &name);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    _fields: Fields,
) -> Result<Response, Failure> {
    let prefix = Prefix::here();
    if let Some(session) = app.sessions.remove(&headers)
        && let Err(error) = session.end(&app.client).await
    {
        tracing::warn!(%error, "a session is over here, and lasts at auth until its own end");
    }
    let mut response = see_other("/sign-in");
    let cookie = cookie_for(&headers, &prefix, "");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

fn cookie_for(headers: &HeaderMap, prefix: &Prefix, name: &str) -> header::HeaderValue {
    let scheme = headers.get("x-forwarded-proto");
    let is_over_tls = scheme.is_some_and(|scheme| scheme == "https");
    let path = prefix.at("/");
    let cookie = set_cookie(name, path.trim_end_matches('/'), is_over_tls);
    cookie.parse().expect("a path and a random name")
}

/// A path of ours; anything else would lead somewhere else.
fn path_of(next: &str) -> &str {
    let is_path = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_path { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for (next, expected) in [
            ("/log/7?x=1", "/log/7?x=1"),
            ("", "/"),
            ("log", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\r\nSet-Cookie: a=b", "/"),
        ] {
            assert_eq!(path_of(next), expected, "{next:?}");
        }
    }
}
