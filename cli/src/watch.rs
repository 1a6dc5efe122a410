//! `quittance watch`: prints answers as the ledger publishes them, read as the auditor, who can store nothing.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use common::broker;
use common::broker::Reader;
use common::kinds::Answer;
use common::kinds::bulk::BatchAnswer;
use common::kinds::payment::PaymentAnswer;
use common::kinds::revocation::RevocationAnswer;
use common::message::Stored;
use common::money::{Currency, Money};
use common::service::stop_signal;
use common::token::Target;
use common::wire::{CE_TYPE, SETTLEMENTS};

use crate::names::{account_name, short_account_name};
use crate::print;
use crate::running::Running;

/// Messages read at a time.
const BATCH: usize = 1000;

/// Where a line goes on that is too long: below the kind.
const INDENT: usize = 20;

/// Options of `quittance watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Print each answer's body as JSON, one per line
    #[arg(long)]
    json: bool,
    /// Begin with the answer to this request; without it, with the next one
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// End after this many; without it, go on until Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End at the last answer there is now; without --from, begin with the first
    #[arg(long)]
    until_end: bool,
}

pub(crate) async fn run(options: &Watch, home: &Path) -> Result<()> {
    let running = Running::find(home)?;
    // A reader waits for the broker for ever; a person wants to know that it is away.
    let jetstream = broker::jetstream(&running.auditor().await?);
    let last = broker::last_sequence(&jetstream, SETTLEMENTS).await?;
    let from = match options.from {
        Some(from) => from,
        None if options.until_end => 1,
        None => last + 1,
    };
    let mut reader = Reader::of_settlements_only_reading(&running.auditor_config()?, from);
    let mut left = options.count.unwrap_or(u64::MAX);
    if options.until_end {
        left = left.min((last + 1).saturating_sub(from));
    }
    let mut day = None;
    let stop = stop_signal()?;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
        let Some(answers) = stop.run_until_cancelled(reader.batch(wanted)).await else {
            return Ok(());
        };
        for answer in answers? {
            if options.json {
                print::line(&body(&answer)?)?;
            } else {
                let today = answer.published_at.date_naive();
                if day.replace(today) != Some(today) {
                    print::line(&format!("{today}, UTC:"))?;
                }
                print::line(&print::folded(&told(&answer)?, INDENT))?;
            }
            left -= 1;
        }
    }
    Ok(())
}

/// The body as it was published, on one line: in JSON, line ends stand between values only.
fn body(answer: &Stored) -> Result<String> {
    let text = std::str::from_utf8(&answer.payload);
    let text = text.with_context(|| format!("answer {} is no text", answer.sequence))?;
    Ok(text.replace(['\r', '\n'], " "))
}

/// The answer in a line: when (UTC), its sequence, what became of what.
fn told(stored: &Stored) -> Result<String> {
    let kind = stored.header(CE_TYPE).unwrap_or_default();
    let answer = Answer::from_json(kind, &stored.payload)
        .with_context(|| format!("answer {} has an unknown form", stored.sequence))?;
    let what = match answer {
        Answer::Payment(payment) => payment_line(&payment),
        Answer::Bulk(batch) => batch_line(&batch),
        Answer::Account(account) => format!(
            "{}{}{}",
            account.account_id.map_or_else(String::new, account_name),
            account
                .name
                .map_or_else(String::new, |name| format!("  {name}")),
            account.reason.map_or_else(String::new, |reason| format!(
                "  {}: {}",
                reason.code.as_str(),
                reason.message
            )),
        ),
        Answer::Key(key) => format!("signing key {}", key.kid.unwrap_or_default()),
        Answer::Revocation(revocation) => revocation_line(&revocation),
        Answer::Rules(rules) => format!("rules {}", rules.rules),
        Answer::Unknown(unknown) => unknown.reason.message,
    };
    let kind = kind.strip_suffix(".v1").unwrap_or(kind);
    let line = format!(
        "{}  #{:<6} {kind:<18} {what}",
        stored.published_at.format("%H:%M:%S"),
        stored.sequence
    );
    // Names, references, and whatever a reason quotes of them.
    Ok(print::readable(line.trim_end()))
}

fn revocation_line(revocation: &RevocationAnswer) -> String {
    let what = match &revocation.target {
        Some(Target::Key { kid }) => format!("signing key {kid}"),
        Some(Target::Subject { sub, .. }) => format!("tokens of {sub}"),
        Some(Target::Client { client_id, .. }) => format!("tokens of {client_id}"),
        Some(Target::Session { sid }) => format!("session {sid}"),
        Some(Target::Token { jti }) => format!("token {jti}"),
        None => "?".to_owned(),
    };
    let because = revocation.because.as_deref().unwrap_or_default();
    format!("{what}  {}", because.replace('_', " "))
}

fn batch_line(batch: &BatchAnswer) -> String {
    if let Some(reason) = &batch.reason {
        return format!("{}: {}", reason.code.as_str(), reason.message);
    }
    format!(
        "{} settled, {} rejected, {} asked for before",
        batch.settled, batch.rejected, batch.duplicates
    )
}

fn payment_line(payment: &PaymentAnswer) -> String {
    let account = |id: Option<_>| id.map_or_else(|| "?".to_owned(), short_account_name);
    let currency = payment.currency.as_deref().unwrap_or_default();
    let mut line = format!(
        "{} → {}  {} {currency}",
        account(payment.debtor_account),
        account(payment.creditor_account),
        amount(payment.amount.as_deref().unwrap_or("?"), currency),
    );
    if let Some(reference) = &payment.reference {
        line += &format!("  {reference:?}");
    }
    if let Some(reason) = &payment.reason {
        line += &format!("  {}: {}", reason.code.as_str(), reason.message);
    }
    if let Some(original) = &payment.original {
        line += &format!("  same as #{}", original.request_seq);
    }
    line
}

/// With the currency's decimals. What was rejected may be no amount: it stays as it was sent.
fn amount(text: &str, currency: &str) -> String {
    let currency = Currency::from_code(currency);
    let amount = currency.and_then(|currency| Money::positive(text, currency).ok());
    amount.map_or_else(|| text.to_owned(), |amount| amount.to_string())
}

#[cfg(test)]
mod tests {
    use common::kinds::trust::{KeyAnswer, KeyStatus};
    use common::kinds::unknown::{RejectedStatus, UnknownAnswer};
    use common::reason::{Code, Reason};
    use common::service::now;

    use super::*;

    fn stored(answer: &Answer) -> Stored {
        Stored {
            sequence: 7,
            published_at: now(),
            subject: "settlement.x".to_owned(),
            headers: [(CE_TYPE, answer.ce_type())].into_iter().collect(),
            unreadable_headers: None,
            payload: answer.to_json().into(),
        }
    }

    #[test]
    fn an_answer_is_one_line_whatever_its_sender_wrote() {
        let evil = "a\u{1b}[2J\n12:00:00  #8 payment.settled\u{9b}b";
        let unknown = UnknownAnswer {
            request_seq: 7,
            status: RejectedStatus::Rejected,
            reason: Reason::new(Code::FF01, evil),
            published_at: now(),
        };
        let key = KeyAnswer {
            request_seq: 7,
            kid: Some(evil.to_owned()),
            status: KeyStatus::Rejected,
            reason: None,
            issuer: None,
            n: None,
            e: None,
            published_at: now(),
        };
        for answer in [Answer::Unknown(unknown), Answer::Key(key)] {
            let told = told(&stored(&answer)).expect("a known form");
            let expected = r"a\u001b[2J\u000a12:00:00  #8 payment.settled\u009bb";
            assert!(told.ends_with(expected), "{told}");
        }
    }
}
