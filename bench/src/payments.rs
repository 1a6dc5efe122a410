//! The load: payments as a real producer sends them, each with its place in the run hidden in its id.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use common::ids::{AccountId, BatchId, ClientId, PaymentId};
use common::kinds::bulk::{BatchItem, BatchRequest};
use common::kinds::client_request::ClientRequest as _;
use common::kinds::payment::PaymentRequest;
use common::message::Outgoing;
use uuid::Uuid;

use crate::numbers::{Dice, float_len};

/// Skew of the zipfian load, as in `TigerBeetle`'s and YCSB's benchmarks.
const ZIPF_EXPONENT: f64 = 0.99;
/// How many accounts are "hot".
const HOT_ACCOUNTS: usize = 10;

/// Who pays whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Any two accounts.
    Uniform,
    /// Few accounts pay and are paid often, the n-th in proportion to n^-0.99.
    Zipfian,
    /// Any two of ten accounts.
    TenAccounts,
    /// Any account pays the same one.
    OneCreditor,
}

/// Chooses both accounts of each payment.
pub(crate) struct Choice {
    pattern: Pattern,
    accounts: Vec<AccountId>,
    /// Of the zipfian pattern: the sum of the weights up to each account.
    weights: Vec<f64>,
    dice: Dice,
}

impl Choice {
    /// Among at least two accounts.
    pub(crate) fn new(pattern: Pattern, accounts: &[AccountId], seed: u64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=accounts.len()).map(|rank| {
            sum += float_len(rank).powf(-ZIPF_EXPONENT);
            sum
        });
        Self {
            pattern,
            weights: if pattern == Pattern::Zipfian {
                weights.collect()
            } else {
                Vec::new()
            },
            accounts: accounts.to_vec(),
            dice: Dice::new(seed),
        }
    }

    /// Debtor and creditor, never the same.
    pub(crate) fn pair(&mut self) -> (AccountId, AccountId) {
        let creditor = match self.pattern {
            Pattern::OneCreditor => 0,
            Pattern::Uniform | Pattern::Zipfian | Pattern::TenAccounts => self.one(),
        };
        loop {
            let debtor = self.one();
            if debtor != creditor {
                return (self.accounts[debtor], self.accounts[creditor]);
            }
        }
    }

    fn one(&mut self) -> usize {
        match self.pattern {
            Pattern::Uniform | Pattern::OneCreditor => self.dice.below(self.accounts.len()),
            Pattern::TenAccounts => self.dice.below(HOT_ACCOUNTS.min(self.accounts.len())),
            Pattern::Zipfian => {
                let all = self.weights.last().copied().unwrap_or_default();
                let wanted = self.dice.fraction() * all;
                let place = self.weights.partition_point(|weight| *weight <= wanted);
                place.min(self.accounts.len() - 1)
            }
        }
    }
}

/// Makes the payments of one run.
pub(crate) struct Maker<'a> {
    pub(crate) client: &'a ClientId,
    /// Used in turn.
    pub(crate) tokens: &'a [String],
    pub(crate) choice: Choice,
    /// A number that no other run of this process has: ids must not repeat.
    pub(crate) run: u32,
}

impl Maker<'_> {
    /// Payment `place` of the run.
    pub(crate) fn body(&mut self, place: u32) -> PaymentRequest {
        let (debtor_account, creditor_account) = self.choice.pair();
        PaymentRequest {
            payment_id: PaymentId(id(self.run, place)),
            debtor_account,
            creditor_account,
            amount: "1.00".to_owned(),
            currency: "EUR".to_owned(),
            reference: Some(format!("Invoice {place}")),
            effective_date: None,
            metadata: std::collections::BTreeMap::new(),
        }
    }

    /// The token of payment `place`.
    pub(crate) fn token(&self, place: u32) -> &str {
        let place = usize::try_from(place).expect("32 bits fit");
        &self.tokens[place % self.tokens.len()]
    }

    /// Payment `place` as it is published.
    pub(crate) fn message(&mut self, place: u32) -> Outgoing {
        let body = self.body(place);
        body.message(self.client, self.token(place), None)
    }

    /// `count` payments in requests of `size` payments each.
    pub(crate) fn bulk(&mut self, count: usize, size: usize) -> Vec<BatchRequest> {
        let places: Vec<u32> = (0..).take(count).collect();
        let item = |payment: PaymentRequest| BatchItem {
            payment_id: payment.payment_id,
            debtor_account: Some(payment.debtor_account),
            creditor_account: payment.creditor_account,
            amount: payment.amount,
            currency: None,
            reference: payment.reference,
            effective_date: None,
            metadata: payment.metadata,
        };
        let request = |places: &[u32]| BatchRequest {
            batch_id: BatchId(id(self.run, u32::MAX - places[0])),
            atomic: false,
            debtor_account: None,
            currency: Some("EUR".to_owned()),
            payments: places.iter().map(|place| item(self.body(*place))).collect(),
        };
        places.chunks(size).map(request).collect()
    }

    /// `count` payments in batches of `size`.
    pub(crate) fn batches(&mut self, count: usize, size: usize) -> Vec<Vec<Outgoing>> {
        let places: Vec<u32> = (0..).take(count).collect();
        places
            .chunks(size)
            .map(|places| places.iter().map(|place| self.message(*place)).collect())
            .collect()
    }
}

/// The size of a message in the log, nearly: its headers and its body.
pub(crate) fn bytes(message: &Outgoing) -> usize {
    message.headers.as_str().len() + message.payload.len()
}

/// An id of version 7, like a real producer's, that hides the payment's place in its last four bytes.
#[expect(
    clippy::disallowed_methods,
    reason = "a producer's ids carry the time; this is a producer"
)]
fn id(run: u32, place: u32) -> Uuid {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or_default();
    let mut random = [0; 10];
    random[..2].copy_from_slice(&Dice::new(u64::from(place)).next().to_be_bytes()[..2]);
    random[2..6].copy_from_slice(&run.to_be_bytes());
    random[6..].copy_from_slice(&place.to_be_bytes());
    // The version and the variant overwrite six of these bits, none of which is the place's.
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}

/// The place that [`id`] hid.
pub(crate) fn place(id: &str) -> Result<u32> {
    let id: Uuid = id.parse().context("no UUID")?;
    let [.., a, b, c, d] = id.into_bytes();
    Ok(u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_version_7_and_tells_its_place() {
        for at in [0, 1, 77_777, u32::MAX] {
            let id = id(3, at);
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(place(&id.to_string()).unwrap(), at);
        }
        assert_ne!(id(1, 5), id(2, 5));
    }

    #[test]
    fn nobody_pays_themselves_and_hot_accounts_are_hot() {
        let accounts: Vec<AccountId> = (0..1000).map(|_| AccountId(Uuid::now_v7())).collect();
        for pattern in [
            Pattern::Uniform,
            Pattern::Zipfian,
            Pattern::TenAccounts,
            Pattern::OneCreditor,
        ] {
            let mut choice = Choice::new(pattern, &accounts, 1);
            let pairs: Vec<_> = (0..1000).map(|_| choice.pair()).collect();
            assert!(pairs.iter().all(|(debtor, creditor)| debtor != creditor));
            let first = pairs.iter().filter(|pair| pair.1 == accounts[0]).count();
            let expected = match pattern {
                Pattern::Uniform => 0..=10,
                Pattern::Zipfian => 90..=200,
                Pattern::TenAccounts => 60..=150,
                Pattern::OneCreditor => 1000..=1000,
            };
            assert!(expected.contains(&first), "{pattern:?}: {first}");
        }
    }
}
