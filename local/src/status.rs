//! What `quittance status --json` prints and `quittance up` writes down: where everything is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::http;
use crate::lock;
use crate::secrets::write_private;

const FILE: &str = "status.json";

/// The addresses of a running bank. The JSON is a contract: scripts and the README's example read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `http://127.0.0.1:8080`, or `https://…` with TLS; a bank of a test may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// `http://127.0.0.1:8084`; through the gateway it is at `/admin/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    /// `http://127.0.0.1:8081`
    pub auth: String,
    /// `http://127.0.0.1:8082`
    pub ledger: String,
    /// `http://127.0.0.1:8083`
    pub payments: String,
    /// `nats://127.0.0.1:4222`
    pub nats: String,
    /// `postgres://127.0.0.1:5433`; the logins stay in `secrets.json`.
    pub postgres: String,
    /// The people and programs of the demo bank, when it was seeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demo: Option<Demo>,
}

/// The logins of the demo bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demo {
    /// May operate the bank.
    pub staff: DemoLogin,
    /// Own an account each.
    pub customers: Vec<DemoCustomer>,
    /// A shop that submits payments for its customers.
    pub service_account: DemoServiceAccount,
    /// The same shop's login at the broker.
    pub producer: DemoProducer,
}

/// A person's login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoLogin {
    /// The login name.
    pub email: String,
    /// The password; `None` once the person has another.
    pub password: Option<String>,
}

/// A customer's login and account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoCustomer {
    /// The login name.
    pub email: String,
    /// The password; `None` once the person has another.
    pub password: Option<String>,
    /// The id of the customer's account.
    pub account: String,
}

/// An OAuth 2 client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoServiceAccount {
    /// The client's id, also the last token of its NATS subjects.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
}

/// A producer's login at the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoProducer {
    /// The NATS user.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl Status {
    /// The status of the bank at `home`; `None` when none runs there.
    pub fn read(home: &Path) -> Result<Option<Self>> {
        let file = home.join(FILE);
        if !file.exists() || lock::take(home).is_ok() {
            return Ok(None);
        }
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let status = serde_json::from_slice(&bytes);
        status
            .map(Some)
            .with_context(|| format!("{} is damaged", file.display()))
    }

    /// Does the gateway answer? `None` without one.
    pub async fn gateway_answers(&self) -> Option<bool> {
        let (_, port) = self.gateway.as_ref()?.rsplit_once(':')?;
        Some(http::is_there(port.parse().ok()?).await)
    }

    pub(crate) fn write(&self, home: &Path) -> Result<()> {
        write_private(&home.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    pub(crate) fn remove(home: &Path) {
        fs::remove_file(home.join(FILE)).ok();
    }
}
