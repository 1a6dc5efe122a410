//! The form of an answer that both sides of a payment may see.
//!
//! It is made once for each answer, so the body is read without a tree of values of it, and most bodies in one go
//! ([`quick`]).

mod quick;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

/// What both sides of a payment may know of it, sorted. Whatever is not named here stays out: balances, metadata, the words
/// of a reason, and every field that comes later.
const FIELDS: &[&str] = &[
    "amount",
    "client_id",
    "creditor_account",
    "currency",
    "debtor_account",
    "effective_date",
    "payment_id",
    "published_at",
    "reference",
    "request_seq",
    "status",
];
const FIELDS_OF_POSTING: &[&str; 4] = &["account", "amount", "currency", "direction"];
const FIELDS_OF_REASON: &[&str; 1] = &["code"];

/// An answer's body without what only one side may see: an object with some of its fields by name, then `postings` with
/// some of theirs by name, and the code of its `reason` if it has one; no blanks. Its hash is in every leaf, so it stays as
/// it is.
#[must_use]
pub fn shared_form(body: &[u8]) -> Vec<u8> {
    quick::quick_form(body).unwrap_or_else(|| slow_form(body))
}

fn slow_form(body: &[u8]) -> Vec<u8> {
    let form: Shared<'_> = serde_json::from_slice(body).unwrap_or_default();
    serde_json::to_vec(&form).expect("texts and numbers are JSON")
}

#[derive(Default)]
struct Shared<'b> {
    fields: Picked<'b>,
    postings: Vec<Picked<'b>>,
    reason: Option<Plain<'b>>,
}

impl Serialize for Shared<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.fields.named() {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("postings", &self.postings)?;
        if let Some(code @ Plain::Text(_)) = &self.reason {
            map.serialize_entry("reason", code)?;
        }
        map.end()
    }
}

/// The fields of an object that have one of these names, sorted, and a plain value.
#[derive(Default)]
struct Picked<'b> {
    names: &'static [&'static str],
    values: Vec<Option<Plain<'b>>>,
}

impl<'b> Picked<'b> {
    fn none(names: &'static [&'static str]) -> Self {
        Self {
            names,
            values: names.iter().map(|_| None).collect(),
        }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Plain<'b>)> {
        let values = self.names.iter().zip(&self.values);
        values.filter_map(|(name, value)| Some((*name, value.as_ref()?)))
    }
}

impl Serialize for Picked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.named())
    }
}

/// A value that is neither an object nor a list: what becomes one of these later on is something else than what was looked
/// at here.
enum Plain<'b> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'b, str>),
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::Text(value) => serializer.serialize_str(value),
        }
    }
}

/// Any value: what is plain, and what an object has under some names.
#[derive(Default)]
struct Seen<'b> {
    plain: Option<Plain<'b>>,
    object: Option<Picked<'b>>,
    list: Vec<Picked<'b>>,
}

/// What is looked for in a value.
#[derive(Clone, Copy)]
struct Look {
    /// In the value, if it is an object.
    fields: &'static [&'static str],
    /// In the objects of the value, if it is a list; of whatever else is in it nothing is picked, but it counts.
    fields_of_items: Option<&'static [&'static str]>,
}

impl Look {
    const PLAIN: Self = Self::fields(&[]);

    const fn fields(fields: &'static [&'static str]) -> Self {
        Self {
            fields,
            fields_of_items: None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Seen<'de>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Seen<'de>, D::Error> {
        value.deserialize_any(self)
    }
}

fn plain<E>(value: Plain<'_>) -> Result<Seen<'_>, E> {
    Ok(Seen {
        plain: Some(value),
        ..Seen::default()
    })
}

impl<'de> Visitor<'de> for Look {
    type Value = Seen<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Seen<'de>, E> {
        plain(Plain::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Seen<'de>, E> {
        plain(Plain::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Seen<'de>, E> {
        plain(Plain::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Seen<'de>, E> {
        plain(Plain::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Seen<'de>, E> {
        plain(Number::from_f64(value).map_or(Plain::Null, Plain::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Seen<'de>, E> {
        plain(Plain::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Seen<'de>, E> {
        plain(Plain::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen<'de>, A::Error> {
        let mut picked = Picked::none(self.fields);
        while let Some(Name(name)) = map.next_key()? {
            match self.fields.binary_search(&&*name) {
                Ok(place) => picked.values[place] = map.next_value_seed(Self::PLAIN)?.plain,
                Err(_) => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Seen {
            object: Some(picked),
            ..Seen::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seen<'de>, A::Error> {
        let mut list = Vec::new();
        if let Some(names) = self.fields_of_items {
            while let Some(item) = items.next_element_seed(Self::fields(names))? {
                list.push(item.object.unwrap_or_default());
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Seen {
            list,
            ..Seen::default()
        })
    }
}

/// A field's name, borrowed unless something in it is escaped.
#[derive(Deserialize)]
struct Name<'b>(#[serde(borrow)] Cow<'b, str>);

impl<'de: 'b, 'b> Deserialize<'de> for Shared<'b> {
    fn deserialize<D: Deserializer<'de>>(body: D) -> Result<Self, D::Error> {
        body.deserialize_any(Answer)
    }
}

/// The body of an answer.
struct Answer;

impl<'de> Visitor<'de> for Answer {
    type Value = Shared<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shared<'de>, A::Error> {
        const POSTINGS: Look = Look {
            fields: &[],
            fields_of_items: Some(FIELDS_OF_POSTING),
        };
        let mut shared = Shared {
            fields: Picked::none(FIELDS),
            ..Shared::default()
        };
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "postings" => shared.postings = map.next_value_seed(POSTINGS)?.list,
                "reason" => {
                    let reason = map.next_value_seed(Look::fields(FIELDS_OF_REASON))?;
                    shared.reason = reason.object.and_then(|mut one| one.values[0].take());
                }
                name => match FIELDS.binary_search(&name) {
                    Ok(place) => {
                        shared.fields.values[place] = map.next_value_seed(Look::PLAIN)?.plain;
                    }
                    Err(_) => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        Ok(shared)
    }
}

#[cfg(test)]
mod tests;
