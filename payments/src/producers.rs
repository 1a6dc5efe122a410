//! Answers producers' publishes at the broker: each goes through the same door as what comes over HTTP, under the
//! producer's own token, and its sender gets the JetStream acknowledgement of the stored message.
//!
//! To a producer this is the stream itself: the subject, the headers and the acknowledgement are the same. But
//! strangers' messages reach the log only as this service writes them: with the headers that mean something, and only if
//! their sender may send them at all. Any number of processes share the work.

mod ack;
mod admit;

use std::sync::Arc;
use std::time::Duration;

use common::broker::{self, Published, ReplyTo, Responder};
use common::token::TokenError;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::ack::Refusal;
use self::admit::{Admitted, NotAdmitted};
use crate::app::App;
use crate::door::{Place, Told};

/// What producers publish in the account EDGE: a kind of request and their id. The broker lets each publish its own only.
const SUBJECTS: &str = "request.*.v1.*";
/// The processes that share them.
const GROUP: &str = "door";
/// Places that wait to be told: as many as a batch has. The door waits beyond that.
pub(crate) const PLACES_MAX: usize = broker::BATCH_MESSAGES_MAX;
/// Messages under unknown keys that wait until the keys are looked up; more are refused at once.
const UNKNOWN_MAX: usize = 256;
/// How long what was handed in may take to be stored, once the service is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Answers producers until `stop`, and then those whose messages have come already.
pub(crate) async fn answer_producers(
    app: Arc<App>,
    config: &broker::Config,
    places: mpsc::Receiver<(ReplyTo, Place)>,
    stop: CancellationToken,
) {
    let (unknown, to_look_up) = mpsc::channel(UNKNOWN_MAX);
    let (looked_up, again) = mpsc::channel(UNKNOWN_MAX);
    let entrance = Entrance {
        app: app.clone(),
        responder: Responder::new(config, SUBJECTS, GROUP),
        unknown,
        under_way: 0,
    };
    tokio::select! {
        () = entrance.serve(places, again, stop) => {}
        () = look_keys_up(&app, to_look_up, looked_up) => {}
    }
}

/// A key that is not known may have been announced a moment ago.
async fn look_keys_up(
    app: &App,
    mut unknown: mpsc::Receiver<Published>,
    looked_up: mpsc::Sender<Published>,
) {
    let mut waiting = Vec::new();
    while unknown.recv_many(&mut waiting, UNKNOWN_MAX).await > 0 {
        // If the keys can't be had now, the key stays unknown, and its sender hears that.
        drop(app.callers.refresh().await);
        for published in waiting.drain(..) {
            if looked_up.send(published).await.is_err() {
                return;
            }
        }
    }
}

struct Entrance {
    app: Arc<App>,
    responder: Responder,
    /// Messages whose key is not known.
    unknown: mpsc::Sender<Published>,
    /// Messages that are on their way into the log or wait for a key.
    under_way: usize,
}

impl Entrance {
    async fn serve(
        mut self,
        mut places: mpsc::Receiver<(ReplyTo, Place)>,
        mut again: mpsc::Receiver<Published>,
        stop: CancellationToken,
    ) {
        let (mut is_over, mut drained_by) = (false, None);
        while !(is_over && self.under_way == 0) {
            tokio::select! {
                biased;
                Some((producer, place)) = places.recv() => {
                    self.under_way -= 1;
                    let body = match place {
                        Ok(sequence) => ack::stored(sequence),
                        Err(refused) => Refusal::from(refused).to_json(),
                    };
                    self.responder.answer(&producer, &body);
                }
                Some(published) = again.recv() => {
                    self.under_way -= 1;
                    self.take(published, false);
                }
                published = self.responder.next(), if !is_over => match published {
                    Some(published) => self.take(published, true),
                    None => is_over = true,
                },
                () = stop.cancelled(), if drained_by.is_none() => {
                    self.responder.leave();
                    drained_by = Some(Instant::now() + DRAIN_MAX);
                }
                () = until(drained_by), if drained_by.is_some() => {
                    let count = self.under_way;
                    tracing::warn!(count, "stopping without an answer to these publishes");
                    break;
                }
            }
        }
        // Nobody waits for a place any more; the door shall not wait for us either.
        drop(places);
        match tokio::time::timeout(DRAIN_MAX, self.responder.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last publishers are not answered"),
            Err(_) => {
                tracing::warn!("the last publishers are not answered: the broker takes nothing");
            }
        }
    }

    /// Hands a message in at the door, or refuses it.
    fn take(&mut self, published: Published, may_look_up: bool) {
        let refusal = match admit::admit(&self.app, &published) {
            Ok(admitted) => match self.hand_in(admitted, published.reply_to.clone()) {
                Ok(()) => return,
                Err(refusal) => refusal,
            },
            Err(NotAdmitted::Token(TokenError::KeyUnknown)) if may_look_up => {
                match self.unknown.try_send(published.detached()) {
                    Ok(()) => self.under_way += 1,
                    Err(full) => {
                        let refusal = NotAdmitted::Token(TokenError::KeyUnknown).into();
                        self.refuse(&full.into_inner(), &refusal);
                    }
                }
                return;
            }
            Err(not_admitted) => not_admitted.into(),
        };
        self.refuse(&published, &refusal);
    }

    fn hand_in(&mut self, admitted: Admitted, reply_to: Option<ReplyTo>) -> Result<(), Refusal> {
        let is_awaited = reply_to.is_some();
        let told = reply_to.map_or(Told::Nobody, Told::Producer);
        self.app
            .door
            .hand_in(&admitted.client, admitted.message, told, admitted.span)?;
        self.under_way += usize::from(is_awaited);
        Ok(())
    }

    fn refuse(&mut self, published: &Published, refusal: &Refusal) {
        let subject = &published.subject;
        tracing::debug!(subject, refusal = refusal.sentence, "refused a publish");
        if let Some(producer) = &published.reply_to {
            self.responder.answer(producer, &refusal.to_json());
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
