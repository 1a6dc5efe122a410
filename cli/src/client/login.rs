//! Getting a token.

use anyhow::{Context as _, Result, bail};
use common::token::Audience;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, Refused};
use crate::failure::Hinted as _;
use crate::prompt;

/// Who wants a token.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    Person {
        email: String,
        password: String,
        /// A code of the second factor, for those who have one.
        otp: Option<String>,
    },
    Program {
        client_id: String,
        client_secret: String,
        audience: Audience,
    },
}

impl Login {
    /// A person without a code.
    pub(crate) fn person(email: &str, password: &str) -> Self {
        Self::Person {
            email: email.to_owned(),
            password: password.to_owned(),
            otp: None,
        }
    }

    /// The same with a code of the second factor. Programs have none.
    pub(crate) fn with_otp(mut self, code: Option<String>) -> Self {
        if let Self::Person { otp, .. } = &mut self {
            *otp = code;
        }
        self
    }

    /// The same for tokens that pass elsewhere. People's pass over HTTP only.
    pub(crate) fn for_audience(mut self, wanted: Audience) -> Result<Self> {
        match &mut self {
            Self::Person { .. } if wanted == Audience::Log => bail!(
                "people's tokens pass over HTTP only; a token for messages is a service account's: --as shop or --client-id"
            ),
            Self::Person { .. } => {}
            Self::Program { audience, .. } => *audience = wanted,
        }
        Ok(self)
    }
}

impl Client {
    /// The whole answer of auth. On a terminal, a person is asked for the code of a second factor.
    pub(crate) async fn log_in(&self, login: &Login) -> Result<Value> {
        let answer = self.ask_for_token(login).await;
        let answer = match answer {
            Err(error) if needs_code(&error) => match prompt::code()? {
                Some(code) => {
                    self.ask_for_token(&login.clone().with_otp(Some(code)))
                        .await
                }
                None => Err(error).hint("give a code of the authenticator in QUITTANCE_OTP"),
            },
            answer => answer,
        };
        answer.context("no token")
    }

    async fn ask_for_token(&self, login: &Login) -> Result<Value> {
        let auth = &self.status.auth;
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

    /// The access token alone.
    pub(crate) async fn token(&self, login: &Login) -> Result<String> {
        access_token(&self.log_in(login).await?).map(str::to_owned)
    }
}

fn needs_code(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.body["code"] == "otp_required")
}

/// The token in an answer of auth: SimpleJWT and OAuth name it differently.
pub(crate) fn access_token(answer: &Value) -> Result<&str> {
    let token = answer["access"]
        .as_str()
        .or(answer["access_token"].as_str());
    token.context("auth answered without a token")
}
