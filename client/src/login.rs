//! Getting a token.

use std::time::Duration;

use common::token::Audience;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{Client, Error, Result};

/// A bank that is well answers within milliseconds; three tries fit into the ten seconds in which auth repeats its answer.
const REFRESH_TIMEOUT: Duration = Duration::from_millis(2500);

/// Who wants a token.
#[derive(Clone)]
pub enum Login {
    /// A person.
    Person {
        /// The login name.
        email: String,
        /// The password.
        password: String,
        /// A code of the second factor, for those who have one.
        otp: Option<String>,
    },
    /// A service account.
    Program {
        /// Its id.
        client_id: String,
        /// Its secret.
        client_secret: String,
        /// Where the token passes.
        audience: Audience,
    },
}

/// A person's token can't have this audience.
#[derive(Debug, thiserror::Error)]
#[error(
    "people's tokens pass over HTTP only; a token for messages is a service account's: --as shop or --client-id"
)]
pub struct NotForPeople;

impl Login {
    /// A person without a code.
    #[must_use]
    pub fn person(email: &str, password: &str) -> Self {
        Self::Person {
            email: email.to_owned(),
            password: password.to_owned(),
            otp: None,
        }
    }

    /// The same with a code of the second factor. Programs have none.
    #[must_use]
    pub fn with_otp(mut self, code: Option<String>) -> Self {
        if let Self::Person { otp, .. } = &mut self {
            *otp = code;
        }
        self
    }

    /// The same for tokens that pass elsewhere.
    ///
    /// # Errors
    /// People's tokens pass over HTTP only.
    pub fn for_audience(mut self, wanted: Audience) -> std::result::Result<Self, NotForPeople> {
        match &mut self {
            Self::Person { .. } if wanted == Audience::Log => return Err(NotForPeople),
            Self::Person { .. } => {}
            Self::Program { audience, .. } => *audience = wanted,
        }
        Ok(self)
    }
}

impl Client {
    /// The whole answer of auth.
    ///
    /// # Errors
    /// [`Error`]; see [`needs_code`] for a person with a second factor.
    pub async fn log_in(&self, login: &Login) -> Result<Value> {
        let auth = &self.addresses.auth;
        let request = match login {
            Login::Person {
                email,
                password,
                otp,
            } => self
                .request(Method::POST, auth, "/api/token/")?
                .json(&json!({"email": email, "password": password, "otp": otp})),
            Login::Program {
                client_id,
                client_secret,
                audience,
            } => self.request(Method::POST, auth, "/oauth2/token")?.form(&[
                ("grant_type", "client_credentials"),
                ("client_id", client_id),
                ("client_secret", client_secret),
                ("audience", audience.as_str()),
            ]),
        };
        self.send(request).await
    }

    /// The next access and refresh token of a session, for its refresh token. What is not heard soon is lost, so that there
    /// is time to ask again.
    ///
    /// # Errors
    /// [`Error`]; 401 when the session is over.
    pub async fn refresh(&self, refresh: &str) -> Result<Value> {
        let request = self.presenting(refresh, "/api/token/refresh/")?;
        self.send(request.timeout(REFRESH_TIMEOUT)).await
    }

    /// Ends the session of a refresh token.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn log_out(&self, refresh: &str) -> Result<()> {
        let request = self.presenting(refresh, "/api/token/blacklist/")?;
        self.send(request).await.map(drop)
    }

    fn presenting(&self, refresh: &str, path: &str) -> Result<RequestBuilder> {
        let request = self.request(Method::POST, &self.addresses.auth, path)?;
        Ok(request.json(&json!({"refresh": refresh})))
    }
}

/// The log-in lacks a code of the person's second factor.
#[must_use]
pub fn needs_code(error: &Error) -> bool {
    error
        .refused()
        .is_some_and(|refused| refused.body["code"] == "otp_required")
}

/// The token in an answer of auth: SimpleJWT and OAuth name it differently.
#[must_use]
pub fn access_token(answer: &Value) -> Option<&str> {
    answer["access"]
        .as_str()
        .or(answer["access_token"].as_str())
}
