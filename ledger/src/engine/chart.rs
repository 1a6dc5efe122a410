//! Opening the bank's own accounts: every configured currency has its cash, nostro, fees and rounding from the start.
//!
//! A request for each account that is missing goes into the log. Where two ledgers ask, the second request is answered as
//! a duplicate; a start that finds all of them asks for nothing.

use common::broker::PublishError;
use common::headers::HeaderLines;
use common::ids::AccountId;
use common::kinds::chart::{OpenBankAccount, Purpose, REQUESTED, SUBJECT};
use common::message::{Outgoing, add_event_headers};
use common::wire::REQUESTS;

use super::context::Engine;
use crate::store;

impl Engine {
    /// Asks for what is missing of the bank's own accounts.
    pub(super) async fn open_bank_accounts(&self) -> Result<(), ChartError> {
        let of_currency = |currency| {
            Purpose::ALL
                .into_iter()
                .map(move |purpose| OpenBankAccount::of(purpose, currency))
        };
        let wanted: Vec<_> = self
            .currencies
            .iter()
            .copied()
            .flat_map(of_currency)
            .collect();
        let ids: Vec<AccountId> = wanted.iter().map(|account| account.account_id).collect();
        let there = store::accounts(&self.pool, &ids).await?;
        for account in wanted {
            if there.contains_key(&account.account_id) {
                continue;
            }
            let (purpose, currency) = (account.purpose.name(), account.currency.clone());
            let ack = self
                .publisher
                .publish_one(REQUESTS, request(&account))
                .await?;
            tracing::info!(
                purpose,
                currency,
                seq = ack.sequence,
                "asked for an account of the bank's"
            );
        }
        Ok(())
    }
}

fn request(account: &OpenBankAccount) -> Outgoing {
    let mut headers = HeaderLines::default();
    add_event_headers(&mut headers, REQUESTED, account.account_id, "/ledger");
    Outgoing {
        subject: SUBJECT.to_owned(),
        headers,
        payload: serde_json::to_vec(account).expect("texts are JSON").into(),
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ChartError {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Broker(#[from] PublishError),
}
