//! What administrators send and see of service accounts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common::ids::{AccountId, ClientId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clients::Error;
use crate::clients::credentials::Proof;

/// A service account, never with what its credentials prove.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ServiceAccount")]
pub(super) struct Account {
    pub(super) client_id: String,
    pub(super) name: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) audience: Option<String>,
    pub(super) payment_max: Option<BTreeMap<String, String>>,
    pub(super) accounts: Option<Vec<Uuid>>,
    pub(super) is_active: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) credentials: Vec<Credential>,
}

/// A page of service accounts, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ServiceAccounts {
    pub(super) service_accounts: Vec<Account>,
    /// Where the list goes on; `null` at its end. Also in the header `Link`.
    pub(super) next: Option<String>,
}

/// A new service account, with the secret that is shown this once if one was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MadeAccount {
    #[serde(flatten)]
    pub(super) account: Account,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<String>,
}

/// A new credential, with the secret that is shown this once if one was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MadeCredential {
    pub(super) id: Uuid,
    pub(super) client_id: ClientId,
    pub(super) expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<String>,
    /// RFC 7638 thumbprint of the key that the program brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Credential {
    pub(super) id: Uuid,
    pub(super) kind: String,
    /// RFC 7638 thumbprint of a key.
    pub(super) kid: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub(super) last_used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewServiceAccount", example = json!({"client_id": "web-shop", "scopes": ["payments:submit", "payments:read"]}))]
pub(super) struct NewAccount {
    pub(super) client_id: String,
    pub(super) name: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) audience: Option<String>,
    pub(super) payment_max: Option<BTreeMap<String, String>>,
    pub(super) accounts: Option<Vec<AccountId>>,
    #[serde(default)]
    pub(super) credential: NewCredential,
}

/// A secret of ours, unless the program brings a key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"expires_at": "2030-01-01T00:00:00Z"}))]
pub(super) struct NewCredential {
    /// A JWK, or PEM.
    pub(super) public_key: Option<Value>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl NewCredential {
    /// The secret to show, if one is made, and what is kept.
    pub(super) fn proof(&self) -> Result<(Option<String>, Proof), Error> {
        match &self.public_key {
            None => {
                let (secret, kept) = Proof::new_secret();
                Ok((Some(secret), kept))
            }
            Some(key) => Ok((None, Proof::from_public_key(key)?)),
        }
    }
}
