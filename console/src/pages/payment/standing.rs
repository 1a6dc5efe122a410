//! What a payment's page says besides the log: what it is, where it stands now, what it belongs to and what followed, and
//! what staff may do about it.

use askama::Template;
use common::ids::PaymentId;
use common::money::{Currency, Money};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::operator::Operator;
use crate::page::Frame;
use crate::prefix::Prefix;
use crate::show::{Id, Source, State as Shown, payment_path};

/// Follow-ups that the page shows.
const ROWS: u32 = 50;

/// Where a payment stands.
#[derive(Template)]
#[template(path = "payment_standing.html")]
pub(super) struct Standing {
    frame: Frame,
    /// The states that it went through, as far as they can be told.
    path: Vec<Shown>,
    rest: Option<String>,
    links: Vec<(&'static str, Id)>,
    follow_ups: Source<Vec<FollowUp>>,
    more: bool,
    is_pending: bool,
    /// The form's address.
    here: String,
    client: String,
    capture: Option<Uuid>,
    void: Option<Uuid>,
    reverse: Option<Uuid>,
    /// Whether a part of it can be reversed, as of anything but a transaction.
    in_parts: bool,
}

impl askama::filters::HtmlSafe for Standing {}

/// A capture, void or reversal of this one.
struct FollowUp {
    kind: String,
    id: Id,
    state: Shown,
    amount: String,
    client: String,
}

/// What people call it.
pub(super) fn title(payment: &Value) -> &'static str {
    match payment["kind"].as_str() {
        Some("hold") => "Hold",
        Some("capture") => "Capture",
        Some("void") => "Void",
        Some("reversal") => "Reversal",
        Some("transaction") => "Transaction",
        _ => "Payment",
    }
}

impl Standing {
    pub(super) async fn of(app: &App, who: &Operator, id: PaymentId, payment: &Value) -> Self {
        let text = |name: &str| payment[name].as_str().unwrap_or_default();
        let (kind, status) = (text("kind"), text("status"));
        let client = text("client_id").to_owned();
        let is_granted = !matches!(status, "pending" | "rejected");
        let page = if is_granted && matches!(kind, "payment" | "hold" | "capture" | "transaction") {
            let query = [("client_id", client.clone()), ("limit", ROWS.to_string())];
            app.client.follow_ups(&who.token, id, &query).await
        } else {
            Ok(Value::Null)
        };
        let more = page.as_ref().is_ok_and(|page| page["next"].is_string());
        let found = page.map(|page| page["payments"].as_array().cloned().unwrap_or_default());
        let may_act = who.may("bank:operate");
        let holds = kind == "hold" && status == "authorised";
        let can_be_reversed = matches!(
            (kind, status),
            ("payment" | "transaction", "settled") | ("capture", "captured")
        );
        // Each form has its own id, so that one that is sent twice does nothing twice.
        let form = |is_shown: bool| (may_act && is_shown).then(Uuid::now_v7);
        Self {
            frame: who.frame("", ""),
            path: path(kind, status),
            rest: rest(payment, found.as_deref().ok().filter(|_| !more)),
            links: links(payment, &who.prefix),
            follow_ups: found
                .map(|rows| rows.iter().map(|row| follow_up(row, &who.prefix)).collect())
                .map_err(Into::into),
            more,
            is_pending: status == "pending",
            here: who.prefix.at(&payment_path(&id.to_string(), Some(&client))),
            // Only the client that asked for a hold may capture it.
            capture: form(holds && client == who.session.client_id),
            void: form(holds),
            reverse: form(can_be_reversed),
            in_parts: kind != "transaction",
            client,
        }
    }
}

fn path(kind: &str, status: &str) -> Vec<Shown> {
    let before = match (kind, status) {
        ("hold", "captured" | "voided" | "expired") => Some("authorised"),
        ("payment" | "transaction", "reversed") => Some("settled"),
        ("capture", "reversed") => Some("captured"),
        _ => None,
    };
    before.into_iter().chain([status]).map(Shown::new).collect()
}

/// What is still held or can still be reversed, in a sentence. `followed` is everything that followed, if it is known.
fn rest(payment: &Value, followed: Option<&[Value]>) -> Option<String> {
    let text = |name: &str| payment[name].as_str();
    let stands = (text("kind")?, text("status")?);
    if let ("payment" | "capture" | "transaction", "reversed") = stands {
        return Some("All of it was booked back.".to_owned());
    }
    let (amount, currency) = (text("amount")?, text("currency")?);
    let remaining = text("remaining").unwrap_or(amount);
    let captured = || {
        let sum = followed.and_then(|rows| captured(rows, currency));
        sum.map_or_else(String::new, |sum| {
            format!("{sum} of {amount} {currency} was captured. ")
        })
    };
    match stands {
        ("hold", "authorised") => Some(format!(
            "{}{remaining} {currency} is still held.",
            captured()
        )),
        ("hold", "captured") => Some(format!("{}Nothing is held any more.", captured())),
        ("hold", "voided" | "expired") => Some(format!("{}The rest is free again.", captured())),
        ("payment", "settled") | ("capture", "captured") => Some(format!(
            "{remaining} of {amount} {currency} can still be reversed."
        )),
        _ => None,
    }
}

/// The sum of the captures.
fn captured(rows: &[Value], currency: &str) -> Option<Money> {
    let currency = Currency::from_code(currency)?;
    let captures = rows.iter().filter(|row| row["kind"] == "capture");
    captures
        .into_iter()
        .try_fold(Money::zero(currency), |sum, row| {
            let amount = Money::positive(row["amount"].as_str()?, currency).ok()?;
            sum.checked_add(amount)
        })
}

fn links(payment: &Value, prefix: &Prefix) -> Vec<(&'static str, Id)> {
    let mut links = Vec::new();
    let client = payment["client_id"].as_str();
    if let Some(hold) = payment["hold_id"].as_str() {
        let of = payment["hold_client_id"].as_str().or(client);
        links.push(("Of the hold", Id::payment(hold, of, prefix)));
    }
    let reverses = &payment["reverses"];
    if let Some(original) = reverses["payment_id"].as_str() {
        let of = reverses["client_id"].as_str();
        links.push(("Reverses", Id::payment(original, of, prefix)));
    }
    links
}

fn follow_up(row: &Value, prefix: &Prefix) -> FollowUp {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    FollowUp {
        kind: text("kind").to_owned(),
        id: Id::payment(text("payment_id"), row["client_id"].as_str(), prefix),
        state: Shown::new(text("status")),
        amount: match row["amount"].as_str() {
            Some(amount) => format!("{amount} {}", text("currency")),
            None => String::new(),
        },
        client: text("client_id").to_owned(),
    }
}
