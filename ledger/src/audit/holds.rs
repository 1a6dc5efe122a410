//! What a replay compares of holds and reversals.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::core::book::Book;
use crate::core::book::hold::Hold;
use crate::core::book::usage::Booking;
use crate::store::{BookedBy, ReversedSum};

/// The first hold that is not as the log makes it.
pub(super) fn differ(book: &Book, stored: &[Hold]) -> Option<String> {
    for hold in stored {
        let seq = hold.seq;
        match book.holds.get(&hold.key) {
            None => {
                return Some(format!(
                    "hold {seq} is in the database, but no request authorised it"
                ));
            }
            Some(replayed) if replayed != hold => {
                return Some(format!(
                    "hold {seq} is {}; the log makes it {}",
                    facts(hold),
                    facts(replayed)
                ));
            }
            Some(_) => {}
        }
    }
    let count = book.holds.all().count();
    (count != stored.len()).then(|| {
        let found = stored.len();
        format!("the log makes {count} holds, the database has {found}")
    })
}

fn facts(hold: &Hold) -> String {
    let (client, id) = &hold.key;
    let (amount, remaining, status) = (hold.amount, hold.remaining, hold.status.as_str());
    let (debtor, creditor) = (hold.debtor.account, hold.creditor.account);
    let (expires_at, announced) = (&hold.expires_at, hold.is_announced);
    let (reference, changed) = (&hold.reference, hold.changed_seq);
    format!(
        "{client}'s {id}, {remaining} of {amount} from {debtor} to {creditor}, {status}, ends {expires_at:?} \
         (announced: {announced}), reference {reference:?}, changed by request {changed}"
    )
}

/// The first payment or transaction of which the database says that another amount was reversed.
pub(super) fn reversals_differ(book: &Book, stored: &[(BookedBy, ReversedSum)]) -> Option<String> {
    let ours = book.originals.values().map(|original| {
        let place = (original.request_seq, original.item);
        let sum = match &original.booking {
            Booking::Payment { reversed, .. } => ReversedSum {
                amount: reversed.amount(),
                whole: 0,
            },
            Booking::Transaction { is_reversed, .. } => ReversedSum {
                amount: Decimal::ZERO,
                whole: i64::from(*is_reversed),
            },
        };
        (place, sum)
    });
    let ours: BTreeMap<BookedBy, ReversedSum> = ours.collect();
    let theirs: BTreeMap<BookedBy, ReversedSum> = stored.iter().copied().collect();
    let places = ours.keys().chain(theirs.keys());
    let place = places
        .copied()
        .filter(|place| ours.get(place) != theirs.get(place))
        .min()?;
    let text = |sums: &BTreeMap<BookedBy, ReversedSum>| match sums.get(&place) {
        None => "nothing".to_owned(),
        Some(ReversedSum { amount, whole: 0 }) => amount.to_string(),
        Some(ReversedSum { amount, whole: 1 }) if amount.is_zero() => "all of it".to_owned(),
        Some(ReversedSum { amount, whole }) => format!("{amount}, and all of it {whole} times,"),
    };
    let (seq, item) = place;
    let item = item.map(|item| format!("{} ", item + 1));
    let item = item.unwrap_or_default();
    Some(format!(
        "of payment {item}of request {seq}, {} was reversed by the log, but {} in the database",
        text(&ours),
        text(&theirs)
    ))
}
