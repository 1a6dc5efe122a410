//! People as a Django system hands them over: each row is judged by itself. Pure.
//!
//! A row becomes somebody to create, or gets a reason for a person who reads the report. No reason quotes a hash.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use super::{Role, normalized};
use crate::passwords::django::{DjangoHash, UNUSABLE};

/// The ids of people who had a number are UUIDs of version 5 in this namespace, so a repeat makes the same ones.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b1f_0c5e_8f2d_4a37_9d54_2e70_c1a8_b963);

/// A key of Django: a number, or a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "DjangoKey")]
pub(crate) enum Key {
    Number(i64),
    Text(String),
}

impl Key {
    /// The id that the person has here.
    pub(crate) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Number(number) => Some(of_number(*number)),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// A row of Django's table of users, with the names of its columns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DjangoPerson")]
pub(crate) struct Row {
    pub(crate) id: Key,
    pub(crate) email: String,
    username: Option<String>,
    /// The hash, as Django writes it.
    password: String,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    /// RFC 3339.
    date_joined: Option<String>,
    last_login: Option<String>,
}

/// Somebody to create.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) password_hash: String,
    pub(crate) is_active: bool,
    pub(crate) role: Role,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) last_login_at: Option<DateTime<Utc>>,
}

impl Moved {
    /// Whether some password opens the door.
    pub(crate) fn has_password(&self) -> bool {
        self.password_hash != UNUSABLE
    }
}

impl Row {
    /// The person of this row.
    ///
    /// # Errors
    /// Why it is refused, for whoever imports.
    pub(crate) fn read(&self) -> Result<Moved, &'static str> {
        let id = self.id.id();
        let id = id.ok_or("the key is neither a whole number nor a UUID")?;
        let typed = self.email.trim();
        if !typed.is_empty() && !is_text(typed) {
            return Err("the e-mail address is too long, or has control characters");
        }
        let email = normalized(&self.email).map_err(|_| "this is no e-mail address")?;
        let (local, _) = email.split_once('@').expect("normalized above");
        let username = self.username.as_deref().map(str::trim);
        let username = username.filter(|name| !name.is_empty()).unwrap_or(local);
        if !is_text(username) {
            return Err("the username is too long, or has control characters");
        }
        // A hash that can't be checked is no reason to leave somebody behind.
        let can_be_checked = DjangoHash::read(&self.password).is_some();
        let password_hash = if can_be_checked {
            self.password.as_str()
        } else {
            UNUSABLE
        };
        let role = match (self.is_superuser, self.is_staff) {
            (true, _) => Role::Admin,
            (false, true) => Role::Staff,
            (false, false) => Role::Customer,
        };
        Ok(Moved {
            id,
            username: username.to_owned(),
            password_hash: password_hash.to_owned(),
            is_active: self.is_active,
            role,
            created_at: time(self.date_joined.as_deref()).ok_or("date_joined is no time")?,
            last_login_at: time(self.last_login.as_deref()).ok_or("last_login is no time")?,
            email,
        })
    }
}

/// What the columns of the database take.
fn is_text(text: &str) -> bool {
    let chars = text.chars().count();
    (1..=254).contains(&chars) && !text.chars().any(char::is_control)
}

/// A time that the database can hold; the outer `None` when it is none.
#[expect(
    clippy::option_option,
    reason = "no time is a good answer here, a bad one is not"
)]
fn time(text: Option<&str>) -> Option<Option<DateTime<Utc>>> {
    let Some(text) = text else { return Some(None) };
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (time >= DateTime::UNIX_EPOCH).then_some(Some(time))
}

/// RFC 9562 §5.5.
fn of_number(number: i64) -> Uuid {
    let name = [NAMESPACE.as_bytes(), number.to_string().as_bytes()].concat();
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &name);
    let first = digest.as_ref().first_chunk().expect("SHA-1 has 20 bytes");
    Builder::from_sha1_bytes(*first).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const HASH: &str = "pbkdf2_sha256$1$seasalt$98LAZik4pJNikwc/wZltlL/PowsqNnPnNzARKoGCUtI=";

    fn row(changes: &Value) -> Row {
        let mut row = json!({
            "id": 17, "email": "Ada@Example.COM", "username": "ada", "password": HASH, "is_active": true, "is_staff": false,
            "is_superuser": false, "date_joined": "2021-03-04T05:06:07.890Z", "last_login": null,
        });
        for (name, value) in changes.as_object().expect("an object") {
            row[name] = value.clone();
        }
        serde_json::from_value(row).expect("a row")
    }

    #[test]
    fn a_row_becomes_the_person_it_was() {
        let moved = row(&json!({})).read().expect("a good row");
        assert_eq!(moved.id.to_string(), "91740edd-3ca8-5315-955d-3b9d9fbdcc5f");
        assert_eq!(
            (moved.email.as_str(), moved.username.as_str()),
            ("Ada@example.com", "ada")
        );
        assert!(moved.is_active && moved.has_password() && moved.last_login_at.is_none());
        let joined = moved.created_at.expect("a time");
        assert_eq!(joined.to_rfc3339(), "2021-03-04T05:06:07.890+00:00");
        let id = "7f0c1f3a-5a0e-4d6e-9a55-0d8f6a3b2c11";
        assert_eq!(
            row(&json!({"id": id})).read().expect("good").id.to_string(),
            id
        );
        for (changes, role) in [
            (json!({}), Role::Customer),
            (json!({"is_staff": true}), Role::Staff),
            (json!({"is_superuser": true}), Role::Admin),
            (json!({"is_superuser": true, "is_staff": true}), Role::Admin),
        ] {
            assert_eq!(row(&changes).read().expect("good").role, role);
        }
        for username in [json!(null), json!(" ")] {
            let row = row(&json!({"username": username}));
            assert_eq!(row.read().expect("good").username, "Ada");
        }
    }

    #[test]
    fn who_has_a_hash_that_cannot_be_checked_has_no_password() {
        for (password, has_password) in [
            (HASH, true),
            ("!VvTfMkQ5bKe2n1xUu8kqGw9mB4zYrDPhA3sLc7Jo", false),
            ("", false),
            ("bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv", false),
            ("pbkdf2_sha256$2000001$a$AAAA", false),
            ("plain \0 text", false),
        ] {
            let moved = row(&json!({"password": password})).read().expect("good");
            assert_eq!(moved.has_password(), has_password, "{password:?}");
            assert!(has_password || moved.password_hash == UNUSABLE);
        }
    }

    #[test]
    fn what_the_database_would_refuse_is_refused_with_a_reason() {
        let long = format!("{}@example.com", "a".repeat(250));
        for (changes, reason) in [
            (
                json!({"id": "seventeen"}),
                "the key is neither a whole number nor a UUID",
            ),
            (json!({"email": ""}), "this is no e-mail address"),
            (json!({"email": "ada"}), "this is no e-mail address"),
            (
                json!({"email": long}),
                "the e-mail address is too long, or has control characters",
            ),
            (
                json!({"email": "a\0@example.com"}),
                "the e-mail address is too long, or has control characters",
            ),
            (
                json!({"username": "a\0"}),
                "the username is too long, or has control characters",
            ),
            (
                json!({"date_joined": "yesterday"}),
                "date_joined is no time",
            ),
            (
                json!({"date_joined": "1969-12-31T23:59:59Z"}),
                "date_joined is no time",
            ),
            (
                json!({"last_login": "+262000-01-01T00:00:00Z"}),
                "last_login is no time",
            ),
        ] {
            assert_eq!(row(&changes).read(), Err(reason), "{changes}");
        }
    }
}
