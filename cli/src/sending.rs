//! What becomes of a request that moves money: how `pay`, `hold`, `capture`, `void` and `reverse` tell it.

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use common::ids::PaymentId;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::posting::Direction;
use common::reason::Code;
use serde::Deserialize as _;
use uuid::Uuid;

use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _, hinted, is_unknown, refusal};
use crate::names::account_name;
use crate::print;
use client::Done;

/// Options of whatever is asked once and waited for.
#[derive(Debug, Args)]
pub(crate) struct Sending {
    /// Its own id; sending the same again never does it twice [default: a new UUID]
    #[arg(long, value_name = "UUID")]
    payment_id: Option<PaymentId>,
    /// Wait for the answer, this many seconds at most (1 to 30)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10",
          value_parser = clap::value_parser!(u64).range(1..=30))]
    wait: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Sending {
    /// The request that these options make.
    pub(crate) fn asked(&self, what: &'static str) -> Asked {
        Asked {
            what,
            id: self.payment_id.unwrap_or_else(|| PaymentId(Uuid::now_v7())),
            wait: self.wait,
            json: self.json,
        }
    }
}

/// A request that was sent.
pub(crate) struct Asked {
    /// What people call it: `payment`, `hold`, `capture`.
    pub(crate) what: &'static str,
    pub(crate) id: PaymentId,
    /// Seconds that the answer was waited for.
    pub(crate) wait: Option<u64>,
    pub(crate) json: bool,
}

impl Asked {
    /// Prints what became of it. Ends with [`Exit::Rejected`] when it is rejected, and with [`Exit::Undecided`] when it is
    /// not decided in the time that was to be waited.
    pub(crate) fn told(&self, sent: client::Result<Done>, bank: &Bank) -> Result<ExitCode> {
        let Self {
            what,
            id,
            wait,
            json,
        } = *self;
        let look = format!("{} payment show {id}", bank.invocation());
        let done = match sent {
            Ok(done) => done,
            Err(error) => return Err(self.refused(error.into(), &look)?),
        };
        let answer = done.body;
        if json {
            print::json(&answer)?;
        }
        let seq = &answer["request_seq"];
        let Some(seconds) = wait else {
            if !json {
                let is = if done.is_repeated {
                    "was in the log before"
                } else {
                    "is in the log"
                };
                let name = capital(what);
                print::line(&format!(
                    "{name} {id} {is}, as request {seq}.\nWhat became of it:\n  {look}"
                ))?;
            }
            return Ok(ExitCode::SUCCESS);
        };
        if answer["settlement"].is_null() {
            return Err(anyhow!(
                "{what} {id}, request {seq}, is not decided after {seconds} s"
            ))
            .exit(Exit::Undecided)
            .hint("it is in the log and will be; the same id again never does it twice");
        }
        let settlement = PaymentAnswer::deserialize(&answer["settlement"])
            .context("payments answered in an unknown form")?;
        if !json {
            print::line(
                &if done.is_repeated && settlement.status == PaymentStatus::Settled {
                    settled_before(&settlement)
                } else {
                    settlement_text(what, &settlement)
                },
            )?;
        }
        Ok(if was_granted(&settlement) {
            ExitCode::SUCCESS
        } else {
            Exit::Rejected.into()
        })
    }

    /// The error of a request that was not taken, or was taken and rejected.
    fn refused(&self, error: anyhow::Error, look: &str) -> Result<anyhow::Error> {
        let Self { what, id, json, .. } = *self;
        let refused = refusal(&error);
        let is_repeated = refused.is_some_and(|refused| refused.is_repeated);
        let body = refused.map(|refused| &refused.body);
        if let (true, Some(body)) = (json, body) {
            print::json(body)?;
        }
        let seq = body.and_then(|body| body["request_seq"].as_u64());
        if is_unknown(&error) {
            let error = error.context(format!("whether {what} {id} was taken is unknown"));
            let hint = format!("send it again with --payment-id {id}: that never does it twice");
            return Ok(hinted(error, hint));
        }
        if body.is_some_and(|body| body["reason"]["code"] == Code::AM05.as_str()) {
            let error = error.context(format!(
                "this {what} is refused: another one has its id, {id}"
            ));
            return Ok(hinted(error, format!("`{look}` shows that one")));
        }
        Ok(match seq {
            Some(seq) if is_repeated => {
                error.context(format!("{what} {id} was rejected before, as request {seq}"))
            }
            Some(seq) => error.context(format!("{what} {id} is rejected, as request {seq}")),
            None => error.context(format!("the {what} was not taken")),
        })
    }
}

pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// Whether it was done, now or at the first try.
fn was_granted(settlement: &PaymentAnswer) -> bool {
    let is_granted = |status| match status {
        PaymentStatus::Rejected | PaymentStatus::Duplicate => false,
        PaymentStatus::Settled
        | PaymentStatus::Authorised
        | PaymentStatus::Captured
        | PaymentStatus::Voided
        | PaymentStatus::Reversed
        | PaymentStatus::Expired => true,
    };
    let first = settlement.original.as_ref();
    match settlement.status {
        PaymentStatus::Duplicate => first.is_some_and(|first| is_granted(first.status)),
        status => is_granted(status),
    }
}

/// A settlement of an earlier try, for people.
fn settled_before(settlement: &PaymentAnswer) -> String {
    let id = settlement.payment_id.map(|id| id.to_string());
    format!(
        "Payment {}\nwas settled before, as request {}; nothing was booked now.\n\n{}",
        id.unwrap_or_default(),
        settlement.request_seq,
        postings_text(settlement)
    )
}

/// A settlement for people, and what is held after it.
pub(crate) fn settlement_text(what: &str, settlement: &PaymentAnswer) -> String {
    let mut text = settled_text(what, settlement);
    let at = text.find("\n\n").unwrap_or(text.len());
    text.insert_str(at, &held_text(settlement));
    text
}

/// A settlement for people.
pub(crate) fn settled_text(what: &str, settlement: &PaymentAnswer) -> String {
    let id = settlement
        .payment_id
        .map_or_else(String::new, |id| format!(" {id}"));
    let mut text = format!(
        "{}{id} is {}, as request {}.",
        capital(what),
        settlement.status.as_str(),
        settlement.request_seq
    );
    if let Some(reason) = &settlement.reason {
        let message = print::readable(&reason.message);
        text += &format!("\n{}: {message}", reason.code.as_str());
    }
    if let Some(original) = &settlement.original {
        text += &format!(
            "\nIt was asked before: request {} is {}. Nothing was booked now.",
            original.request_seq,
            original.status.as_str()
        );
    }
    if !settlement.postings.is_empty() {
        text += "\n\n";
        text += &postings_text(settlement);
    }
    text
}

pub(crate) fn postings_text(settlement: &PaymentAnswer) -> String {
    let mut table = print::table(&["account", "debit", "credit", "balance", ""]);
    for posting in &settlement.postings {
        let (debit, credit) = match posting.direction {
            Direction::Debit => (posting.amount.as_str(), ""),
            Direction::Credit => ("", posting.amount.as_str()),
        };
        let account = account_name(posting.account);
        let currency = posting.currency.as_deref();
        let currency = currency.or(settlement.currency.as_deref());
        let currency = currency.unwrap_or_default();
        // What somebody else's account holds is not shown.
        let balance = posting.balance.as_deref().unwrap_or("–");
        table.add_row([account.as_str(), debit, credit, balance, currency]);
    }
    print::align_right(&mut table, 1..=3);
    print::text(table)
}

/// What is held, or left to reverse, after an answer.
fn held_text(settlement: &PaymentAnswer) -> String {
    let currency = settlement.currency.as_deref().unwrap_or_default();
    let amount = settlement.amount.as_deref().unwrap_or_default();
    let remaining = settlement.remaining.as_deref().unwrap_or_default();
    match settlement.status {
        PaymentStatus::Authorised => {
            let end = settlement.expires_at.as_deref();
            let end = end.map_or_else(|| "it is captured or voided".to_owned(), str::to_owned);
            format!("\n{remaining} {currency} is held until {end}.")
        }
        PaymentStatus::Captured => format!("\n{remaining} {currency} is still held."),
        PaymentStatus::Voided | PaymentStatus::Expired => {
            format!("\n{amount} {currency} is free again.")
        }
        PaymentStatus::Reversed if settlement.amount.is_none() => {
            "\nAll of it is booked back.".to_owned()
        }
        PaymentStatus::Reversed => format!("\n{remaining} {currency} can still be reversed."),
        PaymentStatus::Settled | PaymentStatus::Rejected | PaymentStatus::Duplicate => {
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure;
    use client::Refused;
    use reqwest::StatusCode;
    use serde_json::{Value, json};

    fn told(status: StatusCode, body: Value) -> String {
        let id = PaymentId(Uuid::nil());
        let error = anyhow::Error::from(client::Error::Refused(Refused {
            status,
            is_repeated: false,
            body,
        }));
        let asked = Asked {
            what: "payment",
            id,
            wait: None,
            json: false,
        };
        failure::text(
            &asked
                .refused(error, "quittance payment show")
                .expect("nothing is printed"),
        )
    }

    #[test]
    fn only_a_refusal_says_that_nothing_was_taken() {
        let detail = json!({"detail": "the broker does not answer"});
        let unknown = told(StatusCode::SERVICE_UNAVAILABLE, detail.clone());
        assert!(unknown.contains("whether payment 0"), "{unknown}");
        assert!(unknown.contains("--payment-id 0"), "{unknown}");
        let refused = told(StatusCode::BAD_REQUEST, detail);
        assert!(refused.contains("was not taken"), "{refused}");
        let rejected = told(
            StatusCode::UNPROCESSABLE_ENTITY,
            json!({"request_seq": 7, "detail": "AM04"}),
        );
        assert!(rejected.contains("is rejected, as request 7"), "{rejected}");
    }
}
