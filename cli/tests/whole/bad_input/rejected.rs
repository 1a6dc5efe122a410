//! What the answer to one stored message must say.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::bank::{SHOP, TestBank};

/// Waits for the answer to message `seq`: rejected with this code, or settled when there is none.
pub(crate) async fn rejected(
    test: &TestBank,
    seq: u64,
    code: Option<&str>,
    what: &str,
) -> Result<()> {
    let answer = test.answer(seq).await?;
    let body: Value = serde_json::from_slice(&answer.payload)?;
    let status = if code.is_some() {
        "rejected"
    } else {
        "settled"
    };
    ensure!(
        body["status"] == status && body["reason"]["code"] == json!(code),
        "{what}\n{body}"
    );
    ensure!(
        body["request_seq"] == seq && body["client_id"] == SHOP,
        "{what}\n{body}"
    );
    ensure!(
        answer.subject == format!("settlement.payment.v1.{SHOP}"),
        "{}",
        answer.subject
    );
    ensure!(
        answer.header("Authorization").is_none(),
        "a token left the ledger"
    );
    ensure!(
        answer.header("ce-type") == Some(&*format!("payment.{status}.v1")),
        "{:?}",
        answer.headers
    );
    Ok(())
}
