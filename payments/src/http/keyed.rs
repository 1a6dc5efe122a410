//! `Idempotency-Key`: a payment's id is made of its client and of the key that it was sent with.
//!
//! So the same key is the same payment for ever, at every process and in the ledger, with nothing more to be kept. What an
//! earlier request with this key asked for stands in the log; one that asks for something else is refused before it gets
//! there.

use aws_lc_rs::digest::{Context, SHA256};
use axum::http::{HeaderMap, StatusCode};
use common::broker;
use common::http::problem::Problem;
use common::http::problem::kinds::Kind;
use common::ids::{ClientId, PaymentId};
use common::kinds::body;
use common::wire::REQUESTS;
use uuid::Builder;

use super::answers::answer_at;
use super::repeated::There;
use crate::app::App;
use crate::idempotency::PaymentKey;
use crate::request::Submission;
use crate::store;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Far more than a UUID has, or the number of an order with its shop.
const KEY_CHARS_MAX: usize = 255;
/// Stands before what ids are made of, so that they are those of nothing else.
const PURPOSE: &[u8] = b"quittance payment of an idempotency key\0";

/// The id of the payment that is sent with this key; `None` without one.
///
/// # Errors
/// 400 for a key that is none.
pub(super) fn payment_id(
    headers: &HeaderMap,
    client: &ClientId,
) -> Result<Option<PaymentId>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    let bad = || {
        let detail = format!(
            "Idempotency-Key is one text of 1 to {KEY_CHARS_MAX} visible characters, in quotes or without"
        );
        Problem::new(StatusCode::BAD_REQUEST, detail)
    };
    let key = key.to_str().map_err(|_| bad())?;
    // The draft of the header has it in quotes, and nearly nobody sends them.
    let inside = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    let key = inside.unwrap_or(key);
    let is_plain = key
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if keys.next().is_some() || key.is_empty() || key.len() > KEY_CHARS_MAX || !is_plain {
        return Err(bad());
    }
    Ok(Some(id_of(client, key)))
}

fn id_of(client: &ClientId, key: &str) -> PaymentId {
    let mut context = Context::new(&SHA256);
    context.update(PURPOSE);
    context.update(client.as_str().as_bytes());
    // No client's id has this byte, so no two pairs are the same bytes.
    context.update(&[0]);
    context.update(key.as_bytes());
    let digest = context.finish();
    let bytes = digest.as_ref()[..16].try_into();
    // Version 8: made of what its maker knows (RFC 9562, 5.8).
    PaymentId(Builder::from_custom_bytes(bytes.expect("a SHA-256 has 32 bytes")).into_uuid())
}

/// What an earlier request with this key means for one that comes now, and where it stands.
///
/// # Errors
/// 503 when the database or the broker does not answer.
pub(super) async fn what_was_sent<R: Submission>(
    app: &App,
    key: &PaymentKey,
    request: &R,
) -> Result<Option<(u64, There)>, Problem> {
    let row = store::payment(&mut *app.pool.acquire().await?, &key.0, key.1).await?;
    // One that was refused in a way that lets it be sent again is.
    let Some(row) = row.filter(|row| !row.may_retry) else {
        return Ok(None);
    };
    let seq = u64::try_from(row.request_seq).expect("constraint payment_request_seq_positive");
    let stored = broker::get(&app.jetstream, REQUESTS, seq).await;
    let stored = stored.map_err(|error| Problem::unavailable("the broker", &error))?;
    // Without its request nobody can tell; the ledger can.
    let Some(stored) = stored else {
        return Ok(None);
    };
    let is_same = stored.subject == R::subject(&key.0)
        && body::read::<R>(&stored.payload).is_ok_and(|sent| sent.content() == request.content());
    Ok(Some(if is_same {
        (
            seq,
            There::Same(answer_at(app, seq, key.1).await.map(Box::new)),
        )
    } else {
        (seq, There::Other)
    }))
}

/// The refusal of a used id, in the words of somebody who sent a key.
pub(super) fn in_words_of_keys(problem: Problem, id: PaymentId) -> Problem {
    if problem.kind() != Kind::IdUsed {
        return problem;
    }
    let detail = "another payment was sent with this Idempotency-Key before; choose a new one";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        .of(Kind::KeyUsed)
        .with("payment_id", id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for key in keys {
            headers.append(IDEMPOTENCY_KEY, key.parse().expect("a header's value"));
        }
        let client = "shop".parse().expect("a client's id");
        let id = payment_id(&headers, &client).ok()?;
        Some(id.map_or_else(|| "none".to_owned(), |id| id.to_string()))
    }

    #[test]
    fn a_key_is_one_text_and_always_the_same_id() {
        // It stands in logs: it may never become another one.
        let id = Some("3093c3c4-9e1a-8be0-846f-055370ffed55".to_owned());
        assert_eq!(read(&["order-1"]), id);
        assert_eq!(read(&["\"order-1\""]), id);
        assert_ne!(read(&["order-2"]), id);
        assert_eq!(read(&[]), Some("none".to_owned()));
        let long = "k".repeat(KEY_CHARS_MAX + 1);
        for keys in [
            &[""][..],
            &["\"\""],
            &["\""],
            &["a b"],
            &["a\"b"],
            &["é"],
            &["a", "a"],
            &[&long],
        ] {
            assert_eq!(read(keys), None, "{keys:?}");
        }
    }
}
