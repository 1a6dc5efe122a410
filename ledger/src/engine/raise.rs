//! Raising the rules: the first thing that a newer ledger writes into an older log.

use common::broker::PublishError;
use common::headers::HeaderLines;
use common::kinds::rules::{REQUESTED, RaiseRules, SUBJECT};
use common::message::{Outgoing, add_event_headers};
use common::wire::REQUESTS;

use super::context::Engine;
use crate::core::rules::Rules;

impl Engine {
    /// Asks that every later request is decided by these rules. Asking twice is harmless.
    pub(super) async fn raise_rules(&self, rules: Rules) -> Result<(), PublishError> {
        let number = rules.number();
        let mut headers = HeaderLines::default();
        add_event_headers(&mut headers, REQUESTED, number, "/ledger");
        let body = RaiseRules { rules: number };
        let message = Outgoing {
            subject: SUBJECT.to_owned(),
            headers,
            payload: serde_json::to_vec(&body).expect("a number is JSON").into(),
        };
        let ack = self.publisher.publish_one(REQUESTS, message).await?;
        tracing::info!(rules = number, seq = ack.sequence, "raised the rules");
        Ok(())
    }
}
