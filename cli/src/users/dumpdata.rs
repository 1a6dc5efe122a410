//! Reads what Django's `manage.py dumpdata` writes: one JSON list of objects of all models.
//!
//! The list is read object by object, and only people are kept.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

/// An object of any model.
#[derive(Deserialize)]
struct Object {
    model: String,
    pk: Value,
    fields: Map<String, Value>,
}

/// The people of a file, as auth takes them. A column that a model lacks has Django's default.
///
/// # Errors
/// When the file is none of `dumpdata`, has no people, or has several models of them and `model` names none.
pub(crate) fn read(file: &Path, model: Option<&str>) -> Result<Vec<Value>> {
    let opened = File::open(file).with_context(|| format!("{} can't be read", file.display()))?;
    let mut people = People {
        model,
        models: BTreeSet::new(),
        rows: Vec::new(),
    };
    serde_json::Deserializer::from_reader(BufReader::new(opened))
        .deserialize_seq(&mut people)
        // What serde says quotes values of the file, and a hash may be one.
        .map_err(|error| anyhow::anyhow!("line {} is not as expected", error.line()))
        .with_context(|| format!("{} is no list that dumpdata writes", file.display()))?;
    let models: Vec<_> = people.models.iter().map(String::as_str).collect();
    match (models.as_slice(), model) {
        ([], Some(model)) => {
            bail!("the file has no objects of {model} with an email and a password")
        }
        ([], None) => bail!("the file has no objects with an email and a password"),
        ([_], _) => Ok(people.rows),
        (several, _) => bail!(
            "the file has people of several models: {}; say which with --model",
            several.join(", ")
        ),
    }
}

struct People<'m> {
    model: Option<&'m str>,
    models: BTreeSet<String>,
    rows: Vec<Value>,
}

impl<'de> Visitor<'de> for &mut People<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects with model, pk and fields")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut objects: S) -> Result<(), S::Error> {
        while let Some(object) = objects.next_element::<Object>()? {
            let is_wanted = self
                .model
                .is_none_or(|model| model.eq_ignore_ascii_case(&object.model));
            if let (true, Some(row)) = (is_wanted, row(object.pk, &object.fields)) {
                self.models.insert(object.model);
                self.rows.push(row);
            }
        }
        Ok(())
    }
}

/// A person; `None` when this is none.
fn row(pk: Value, fields: &Map<String, Value>) -> Option<Value> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let flag =
        |name: &str, default: bool| fields.get(name).and_then(Value::as_bool).unwrap_or(default);
    let (email, password) = (text("email")?, text("password")?);
    // Auth takes numbers and texts, and gives a reason for what is no key.
    let pk = if pk.is_i64() || pk.is_string() {
        pk
    } else {
        json!(pk.to_string())
    };
    Some(json!({
        "id": pk,
        "email": email,
        "username": text("username"),
        "password": password,
        "is_active": flag("is_active", true),
        "is_staff": flag("is_staff", false),
        "is_superuser": flag("is_superuser", false),
        "date_joined": text("date_joined").map(in_utc),
        "last_login": text("last_login").map(in_utc),
    }))
}

/// A time without a zone is one of a Django with `USE_TZ = False`: it is taken for UTC.
fn in_utc(time: &str) -> String {
    let clock = time.split_once('T').map_or("", |(_, clock)| clock);
    let has_zone = clock.is_empty() || clock.contains(['Z', '+', '-']);
    format!("{time}{}", if has_zone { "" } else { "Z" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read_text(text: &str, model: Option<&str>) -> Result<Vec<Value>> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        read(file.path(), model)
    }

    const TWO_MODELS: &str = r#"[
        {"model": "auth.group", "pk": 1, "fields": {"name": "tellers"}},
        {"model": "auth.user", "pk": 1, "fields": {"email": "a@example.com", "password": "!", "date_joined": "2024-01-01T10:00:00"}},
        {"model": "shop.client", "pk": [1, "x"], "fields": {"email": "b@example.com", "password": "!secret", "is_active": false}}
    ]"#;

    #[test]
    fn people_are_the_objects_with_an_address_and_a_password() {
        let people = read_text(TWO_MODELS, Some("auth.User")).expect("one person");
        assert_eq!(
            people,
            [json!({
                "id": 1, "email": "a@example.com", "username": null, "password": "!", "is_active": true, "is_staff": false,
                "is_superuser": false, "date_joined": "2024-01-01T10:00:00Z", "last_login": null,
            })]
        );
        let people = read_text(TWO_MODELS, Some("shop.client")).expect("one person");
        assert_eq!(
            (&people[0]["id"], &people[0]["is_active"]),
            (&json!("[1,\"x\"]"), &json!(false))
        );
    }

    #[test]
    fn what_is_no_dumpdata_is_told_without_quoting_it() {
        for (text, model, says) in [
            (TWO_MODELS, None, "several models: auth.user, shop.client"),
            (TWO_MODELS, Some("auth.group"), "no objects of auth.group"),
            ("[]", None, "no objects with an email"),
            ("", None, "is no list"),
            ("{}", None, "is no list"),
            ("[\"pbkdf2_sha256$1$secret\"]", None, "is no list"),
            (
                "[{\"model\": \"a.b\", \"pk\": 1, \"fields\": \"secret\"}]",
                None,
                "is no list",
            ),
            (
                "[{\"model\": \"a.b\", \"pk\": 1, \"fields\": {}}",
                None,
                "is no list",
            ),
        ] {
            let error = read_text(text, model).expect_err("nothing to import");
            let error = format!("{error:#}");
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_utc() {
        for (time, utc) in [
            ("2024-01-01T10:00:00.123", "2024-01-01T10:00:00.123Z"),
            ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
            ("2024-01-01T10:00:00-02:00", "2024-01-01T10:00:00-02:00"),
            ("2024-01-01", "2024-01-01"),
        ] {
            assert_eq!(in_utc(time), utc);
        }
    }
}
