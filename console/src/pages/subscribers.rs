//! Who reads the settlements, how far each is, and what waits for it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, Time, count};

struct Row {
    name: Id,
    listens: bool,
    pending: String,
    unacknowledged: String,
    redelivered: String,
    acknowledged: Id,
    last_seen: Time,
}

#[derive(Template)]
#[template(path = "subscribers.html")]
struct SubscribersPage {
    frame: Frame,
    rows: Source<Vec<Row>>,
}

pub(super) async fn list(State(app): State<Arc<App>>, who: Operator) -> Response {
    let found = app.client.subscribers(&who.token).await;
    let rows = found.map(|found| {
        let rows = found.subscribers.into_iter().map(|one| Row {
            listens: one.pulls > 0,
            pending: count(one.pending),
            unacknowledged: count(one.unacknowledged),
            redelivered: count(one.redelivered),
            acknowledged: Id::seq(one.acknowledged_seq, &who.prefix),
            last_seen: Time::maybe(one.acknowledged_at.max(one.delivered_at)),
            name: Id::link(
                &one.name,
                &who.prefix,
                &format!("/log?client_id={}", one.name),
            ),
        });
        rows.collect()
    });
    html(&SubscribersPage {
        frame: who.frame("Subscribers", "Subscribers"),
        rows: rows.map_err(Into::into),
    })
}
