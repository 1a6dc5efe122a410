//! Signing keys: which one signs, which is next, and what each stands for in the log.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::{Failure, see_other};
use crate::fields::Fields;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, State as Shown, Time};

struct Row {
    kid: Id,
    key: String,
    state: Shown,
    created: Time,
    activated: Time,
    retires: Time,
    announced: Option<Id>,
    can_be_revoked: bool,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    rows: Source<Vec<Row>>,
}

pub(super) async fn list(State(app): State<Arc<App>>, who: Operator) -> Response {
    let found = app.client.keys(&who.token).await;
    let rows = found.map(|found| {
        let keys = found["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().map(|key| row(key, &who)).collect()
    });
    html(&KeysPage {
        frame: who.frame("Keys", "Keys"),
        rows: rows.map_err(Into::into),
    })
}

fn row(key: &Value, who: &Operator) -> Row {
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let state = text("state");
    Row {
        kid: Id::plain(text("kid")),
        key: text("kid"),
        can_be_revoked: matches!(state.as_str(), "active" | "retiring"),
        state: Shown::new(&state),
        created: Time::of(&key["created_at"]),
        activated: Time::of(&key["activated_at"]),
        retires: Time::of(&key["retires_at"]),
        announced: key["announced_seq"]
            .as_u64()
            .map(|seq| Id::seq(seq, &who.prefix)),
    }
}

pub(super) async fn act(
    State(app): State<Arc<App>>,
    who: Operator,
    fields: Fields,
) -> Result<Response, Failure> {
    let bad = |why: &str| Failure::bad_request(why, &who.prefix);
    let path = match fields.get("action").unwrap_or_default() {
        "rotate" => "rotate".to_owned(),
        "revoke" => {
            let kid = fields.get("kid").unwrap_or_default();
            let is_kid = kid.len() == 43
                && kid
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if !is_kid {
                return Err(bad("This is no key's id."));
            }
            if fields.get("sure") != Some("yes") {
                return Err(bad(
                    "Every token that this key has signed ends at once. Tick the box to say that this is meant.",
                ));
            }
            format!("{kid}/revoke")
        }
        _ => return Err(bad("There is no such action.")),
    };
    let changed = app.client.change_keys(&who.token, &path, &json!({})).await;
    changed.map_err(|error| Failure::of(error, &who.prefix))?;
    Ok(see_other("/keys"))
}
