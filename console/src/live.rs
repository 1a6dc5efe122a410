//! What changes while somebody looks: a page's part is made anew every second and sent when it differs (Server-Sent Events;
//! htmx puts it in its place).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::failure::Failure;
use crate::operator::Operator;

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(1);
/// A stream ends after so long, and the browser asks again: then its session is looked at anew.
const LOOKS_MAX: u32 = 600;

/// The stream of a part that `make` makes for this operator. `None` from `make` ends it.
pub(crate) fn stream<F, M>(app: Arc<App>, who: Operator, make: M) -> Response
where
    F: Future<Output = Option<String>> + Send + 'static,
    M: Fn(Arc<App>, Arc<Operator>) -> F + Send + Sync + 'static,
{
    let Ok(place) = app.streams.clone().try_acquire_owned() else {
        return Failure::NotLive(StatusCode::SERVICE_UNAVAILABLE).into_response();
    };
    let looking = Looking {
        _place: place,
        app,
        who: Arc::new(who),
        make,
        shown: String::new(),
        looks: 0,
    };
    let parts = stream::unfold(looking, Looking::next);
    let events = Sse::new(parts).keep_alive(KeepAlive::default());
    // A gateway passes it on at once.
    let unbuffered = (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    ([unbuffered], events).into_response()
}

struct Looking<M> {
    /// Given back when the reader has gone.
    _place: OwnedSemaphorePermit,
    app: Arc<App>,
    who: Arc<Operator>,
    make: M,
    shown: String,
    looks: u32,
}

impl<F, M> Looking<M>
where
    F: Future<Output = Option<String>> + Send,
    M: Fn(Arc<App>, Arc<Operator>) -> F,
{
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if self.looks > 0 {
                let stop = self.app.stop.clone();
                stop.run_until_cancelled(tokio::time::sleep(INTERVAL))
                    .await?;
            }
            self.looks += 1;
            if self.looks > LOOKS_MAX || self.who.session.is_over() {
                return None;
            }
            let token = self.who.session.token(&self.app.client).await.ok()?;
            let who = Operator {
                session: self.who.session.clone(),
                token,
                prefix: self.who.prefix.clone(),
            };
            let part = (self.make)(self.app.clone(), Arc::new(who)).await?;
            // An event can't carry it, and a page does not need it.
            let part = part.replace('\r', "");
            if part != self.shown {
                self.shown = part;
                return Some((Ok(Event::default().data(&self.shown)), self));
            }
        }
    }
}
