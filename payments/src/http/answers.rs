//! The settlement events that requests ask for.

use std::time::Duration;

use common::broker;
use common::http::ask;
use common::ids::PaymentId;
use common::kinds::Answer;
use common::kinds::payment::PaymentAnswer;
use common::wire::SETTLEMENTS;

use crate::app::App;

/// The payment's settlement event, if it comes in time.
pub(super) async fn wait_for_answer(
    app: &App,
    request_seq: u64,
    timeout: Duration,
) -> Option<PaymentAnswer> {
    let Answer::Payment(answer) = answer_in_time(app, request_seq, timeout).await? else {
        tracing::error!(
            request_seq,
            "the answer to a payment is no settlement event"
        );
        return None;
    };
    Some(answer)
}

/// The answer to a request, if it comes in time. The request is in the log whatever happens here, so trouble with waiting is
/// no trouble with what it asks for.
pub(super) async fn answer_in_time(
    app: &App,
    request_seq: u64,
    timeout: Duration,
) -> Option<Answer> {
    let answers = app.answers.get()?;
    let waiting = tokio::time::timeout(timeout, ask::answer(answers, request_seq, timeout));
    match app.stop.run_until_cancelled(waiting).await? {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::warn!(%error, request_seq, "the answer can't be waited for");
            None
        }
        Err(_) => None,
    }
}

/// The settlement event of a request, if it is there; of a batch, what became of this payment.
pub(super) async fn answer_at(
    app: &App,
    request_seq: u64,
    payment_id: PaymentId,
) -> Option<PaymentAnswer> {
    let stored = broker::get(&app.jetstream, SETTLEMENTS, request_seq).await;
    match stored.map(|stored| stored.map(|stored| Answer::of_message(&stored))) {
        Ok(Some(Ok(Answer::Payment(answer)))) => Some(answer),
        Ok(Some(Ok(Answer::Bulk(batch)))) => {
            let mut payments = batch.payments.iter();
            let item = payments.find(|item| item.payment_id == Some(payment_id))?;
            Some(batch.payment(item))
        }
        _ => None,
    }
}
