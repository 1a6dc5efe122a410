//! `quittance pay`: asks for a payment, and says what became of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use common::ids::{AccountId, PaymentId};
use common::kinds::payment::PaymentRequest;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::posting::Direction;
use common::reason::Code;
use serde::Deserialize as _;
use uuid::Uuid;

use crate::failure::{Exit, Hinted as _, hinted, is_unknown, refusal};
use crate::login;
use crate::names::{Person, account, account_name};
use crate::print;
use crate::running::{Running, invocation};

/// Options of `quittance pay`.
#[derive(Debug, Args)]
pub(crate) struct Pay {
    /// The account that pays: its id, or ada, grace or cash
    #[arg(long, value_name = "ACCOUNT", value_parser = account())]
    from: AccountId,
    /// The account that is paid: its id, or ada, grace or cash
    #[arg(long, value_name = "ACCOUNT", value_parser = account())]
    to: AccountId,
    /// How much: 30.00
    #[arg(long, allow_hyphen_values = true)]
    amount: String,
    /// ISO 4217 code, the same as both accounts'
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// Text for both statements, up to 140 characters
    #[arg(long)]
    reference: Option<String>,
    /// The value date: the day that it counts from, today or before [default: the day it is booked]
    #[arg(long, value_name = "YYYY-MM-DD")]
    effective_date: Option<String>,
    /// The payment's id; sending the same payment again never pays twice [default: a new UUID]
    #[arg(long, value_name = "UUID")]
    payment_id: Option<PaymentId>,
    /// Who asks for it [default: whose account --from is]
    #[arg(long = "as", value_enum, value_name = "WHO", ignore_case = true)]
    person: Option<Person>,
    /// Wait for the settlement, this many seconds at most (1 to 30)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10",
          value_parser = clap::value_parser!(u64).range(1..=30))]
    wait: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Ends with [`Exit::Rejected`] when the payment is rejected, and with [`Exit::Undecided`] when it is not decided in the time
/// that was to be waited.
pub(crate) async fn run(options: Pay, home: &Path) -> Result<ExitCode> {
    let running = Running::find(home)?;
    let client = running.client();
    let person = options
        .person
        .unwrap_or_else(|| Person::of_account(options.from));
    let token = login::token(&client, &person.login(running.demo()?)?).await?;
    let payment = PaymentRequest {
        payment_id: options
            .payment_id
            .unwrap_or_else(|| PaymentId(Uuid::now_v7())),
        debtor_account: options.from,
        creditor_account: options.to,
        amount: options.amount,
        currency: options.currency,
        reference: options.reference,
        effective_date: options.effective_date,
        metadata: BTreeMap::new(),
    };
    let id = payment.payment_id;
    let paid = match client.pay(&token, &payment, options.wait).await {
        Ok(paid) => paid,
        Err(error) => {
            let look = what_became_of_it(home, id);
            return Err(refused(error.into(), id, &look, options.json)?);
        }
    };
    let answer = paid.body;
    if options.json {
        print::json(&answer)?;
    }
    let seq = &answer["request_seq"];
    let Some(seconds) = options.wait else {
        if !options.json {
            let look = what_became_of_it(home, id);
            let is = if paid.is_repeated {
                "was in the log before"
            } else {
                "is in the log"
            };
            print::line(&format!(
                "Payment {id} {is}, as request {seq}.\nWhat became of it:\n  {look}"
            ))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    if answer["settlement"].is_null() {
        return Err(anyhow!(
            "payment {id}, request {seq}, is not decided after {seconds} s"
        ))
        .exit(Exit::Undecided)
        .hint("it is in the log and will be; the same payment id again never pays twice");
    }
    let settlement = PaymentAnswer::deserialize(&answer["settlement"])
        .context("payments answered in an unknown form")?;
    if !options.json {
        print::line(
            &if paid.is_repeated && settlement.status == PaymentStatus::Settled {
                settled_before(&settlement)
            } else {
                settlement_text(&settlement)
            },
        )?;
    }
    Ok(if was_paid(&settlement) {
        ExitCode::SUCCESS
    } else {
        Exit::Rejected.into()
    })
}

/// The command that shows a payment, to the staff.
fn what_became_of_it(home: &Path, id: PaymentId) -> String {
    format!("{} payment show {id}", invocation(home))
}

/// The error of a payment that was not taken, or was taken and rejected.
fn refused(error: anyhow::Error, id: PaymentId, look: &str, json: bool) -> Result<anyhow::Error> {
    let refused = refusal(&error);
    let is_repeated = refused.is_some_and(|refused| refused.is_repeated);
    let body = refused.map(|refused| &refused.body);
    if let (true, Some(body)) = (json, body) {
        print::json(body)?;
    }
    let seq = body.and_then(|body| body["request_seq"].as_u64());
    if is_unknown(&error) {
        let error = error.context(format!("whether payment {id} was taken is unknown"));
        let hint = format!("send it again with --payment-id {id}: that never pays twice");
        return Ok(hinted(error, hint));
    }
    if body.is_some_and(|body| body["reason"]["code"] == Code::AM05.as_str()) {
        let error = error.context(format!(
            "this payment is refused: another one has its id, {id}"
        ));
        return Ok(hinted(error, format!("`{look}` shows that one")));
    }
    Ok(match seq {
        Some(seq) if is_repeated => error.context(format!(
            "payment {id} was rejected before, as request {seq}"
        )),
        Some(seq) => error.context(format!("payment {id} is rejected, as request {seq}")),
        None => error.context("the payment was not taken"),
    })
}

/// Whether the money has moved, now or at the first try.
fn was_paid(settlement: &PaymentAnswer) -> bool {
    match settlement.status {
        PaymentStatus::Settled => true,
        PaymentStatus::Rejected => false,
        PaymentStatus::Duplicate => settlement
            .original
            .as_ref()
            .is_some_and(|original| original.status == PaymentStatus::Settled),
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

/// A settlement for people.
pub(crate) fn settlement_text(settlement: &PaymentAnswer) -> String {
    let id = settlement
        .payment_id
        .map_or_else(String::new, |id| format!(" {id}"));
    let seq = settlement.request_seq;
    let mut text = format!(
        "Payment{id} is {}, as request {seq}.",
        settlement.status.as_str()
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
        let currency = settlement.currency.as_deref().unwrap_or_default();
        // What somebody else's account holds is not shown.
        let balance = posting.balance.as_deref().unwrap_or("–");
        table.add_row([account.as_str(), debit, credit, balance, currency]);
    }
    print::align_right(&mut table, 1..=3);
    print::text(table)
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
        failure::text(
            &refused(error, id, "quittance payment show", false).expect("nothing is printed"),
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
