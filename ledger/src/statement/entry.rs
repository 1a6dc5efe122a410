//! One line of an account's history: what was booked, and the texts of the answer that booked it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use common::account_number::AccountNumber;
use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::posting::Direction;
use common::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;

use crate::store::{self, StatementRow};

/// Numbers that one statement remembers at most: 2 MB.
const NUMBERS_MAX: usize = 50_000;

/// The other accounts' numbers, which never change: those that a statement has read it does not read again.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<AccountId, AccountNumber>);

impl Numbers {
    /// Fills in the numbers of a page by at most one query.
    async fn fill(
        &mut self,
        db: impl PgExecutor<'_>,
        lines: &mut [AccountPosting],
    ) -> sqlx::Result<()> {
        let others = lines.iter().filter_map(|line| line.counterparty);
        let missing = self.missing(&others.collect(), NUMBERS_MAX);
        let opened = store::opened_seqs(db, &missing).await?.into_iter();
        self.0
            .extend(opened.map(|(id, opened_seq)| (id, AccountNumber::of(opened_seq))));
        for line in lines {
            let number = line.counterparty.and_then(|other| self.0.get(&other));
            line.counterparty_number = number.copied();
        }
        Ok(())
    }

    /// Those to be read. What is remembered is forgotten first where it would become more than this.
    fn missing(&mut self, others: &HashSet<AccountId>, numbers_max: usize) -> HashSet<AccountId> {
        let unknown = others.iter().filter(|id| !self.0.contains_key(id));
        let unknown: HashSet<_> = unknown.copied().collect();
        if self.0.len() + unknown.len() <= numbers_max {
            return unknown;
        }
        self.0.clear();
        others.clone()
    }
}

/// One posting on an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AccountPosting {
    /// Which posting of its account it is, from 1 without a gap.
    pub(crate) number: u64,
    /// The request that it was booked for.
    pub(crate) request_seq: u64,
    pub(crate) direction: Direction,
    pub(crate) amount: String,
    /// The balance after it, on the account's normal side, in the order of the list that it is in.
    pub(crate) balance: String,
    /// The broker's timestamp of the request.
    pub(crate) booked_at: DateTime<Utc>,
    /// The day it counts from.
    pub(crate) effective_date: NaiveDate,
    pub(crate) payment_id: Option<PaymentId>,
    pub(crate) client_id: Option<ClientId>,
    /// The account on the other side, if there is one only.
    pub(crate) counterparty: Option<AccountId>,
    pub(crate) reference: Option<String>,
    /// The number of that other account.
    pub(crate) counterparty_number: Option<AccountNumber>,
}

impl AccountPosting {
    /// Rows of an account, each with the balance after it.
    pub(crate) async fn all_of(
        db: impl PgExecutor<'_>,
        account: AccountId,
        rows: Vec<(Money, StatementRow)>,
        numbers: &mut Numbers,
    ) -> sqlx::Result<Vec<Self>> {
        let lines = rows.into_iter();
        let mut lines: Vec<_> = lines
            .map(|(balance, row)| Self::without_number(account, balance, row))
            .collect();
        numbers.fill(db, &mut lines).await?;
        Ok(lines)
    }

    fn without_number(account: AccountId, balance: Money, row: StatementRow) -> Self {
        let texts = row.body.as_deref().map(Texts::read).unwrap_or_default();
        let direction = if row.amount.is_sign_negative() {
            Direction::Credit
        } else {
            Direction::Debit
        };
        Self {
            number: u64::try_from(row.number).unwrap_or_default(),
            request_seq: u64::try_from(row.request_seq).unwrap_or_default(),
            direction,
            amount: Money::stored(row.amount.abs(), balance.currency()).to_string(),
            balance: balance.to_string(),
            booked_at: row.published_at,
            effective_date: row
                .effective_date
                .unwrap_or_else(|| row.published_at.date_naive()),
            counterparty: texts.counterparty(account),
            payment_id: texts.payment_id,
            client_id: texts.client_id,
            reference: texts.reference,
            counterparty_number: None,
        }
    }
}

/// What an answer says about the payment behind a posting. An answer of a kind that this program does not know says less,
/// and its posting is a line all the same.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Texts {
    #[serde(deserialize_with = "if_readable")]
    payment_id: Option<PaymentId>,
    #[serde(deserialize_with = "if_readable")]
    client_id: Option<ClientId>,
    #[serde(deserialize_with = "if_readable")]
    reference: Option<String>,
    #[serde(deserialize_with = "if_readable")]
    postings: Option<Vec<Other>>,
    #[serde(deserialize_with = "if_readable")]
    debtor_account: Option<AccountId>,
    #[serde(deserialize_with = "if_readable")]
    creditor_account: Option<AccountId>,
}

/// A posting of the same transaction.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Other {
    account: AccountId,
}

impl Texts {
    fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn counterparty(&self, account: AccountId) -> Option<AccountId> {
        let others = self.postings.iter().flatten().map(|other| other.account);
        // The payments of a batch have no postings in their answer.
        let parties = [self.debtor_account, self.creditor_account];
        let others = others.chain(parties.into_iter().flatten());
        let mut others = others.filter(|other| *other != account);
        let first = others.next()?;
        others.all(|other| other == first).then_some(first)
    }
}

fn if_readable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "01900000-ada0-7000-8000-000000000002";
    const GRACE: &str = "01900000-96ac-7000-8000-000000000003";
    const CASH: &str = "01900000-ca54-7000-8000-000000000001";

    fn check(body: &str, reference: Option<&str>, counterparty: Option<&str>) {
        let texts = Texts::read(body.as_bytes());
        let counterparty: Option<AccountId> =
            counterparty.map(|id| id.parse().expect("an account's id"));
        let ada = ADA.parse().expect("an account's id");
        assert_eq!(texts.reference.as_deref(), reference, "{body}");
        assert_eq!(texts.counterparty(ada), counterparty, "{body}");
    }

    #[test]
    fn a_statement_forgets_numbers_before_they_are_too_many_and_lacks_none() {
        let [ada, grace, cash] = [ADA, GRACE, CASH].map(|id| id.parse().expect("an account's id"));
        let known = [(ada, 2), (grace, 3)].map(|(id, seq)| (id, AccountNumber::of(seq)));
        for (numbers_max, missing, kept) in [(3, vec![cash], 2), (2, vec![grace, cash], 0)] {
            let mut numbers = Numbers(HashMap::from(known));
            let found = numbers.missing(&HashSet::from([grace, cash]), numbers_max);
            assert_eq!(found, HashSet::from_iter(missing));
            assert_eq!(numbers.0.len(), kept);
        }
    }

    #[test]
    fn an_answer_of_any_kind_says_what_it_can() {
        let postings = |accounts: &[&str]| {
            let postings = accounts.iter();
            let postings: Vec<_> = postings
                .map(|id| format!(r#"{{"account":"{id}","amount":"1.00"}}"#))
                .collect();
            format!("[{}]", postings.join(","))
        };
        let pair = postings(&[ADA, GRACE]);
        check(
            &format!(r#"{{"reference":"Lunch","postings":{pair},"news":{{"a":1}}}}"#),
            Some("Lunch"),
            Some(GRACE),
        );
        let three = postings(&[ADA, GRACE, CASH]);
        check(&format!(r#"{{"postings":{three}}}"#), None, None);
        check(
            &format!(r#"{{"reference":[1],"client_id":7,"payment_id":"x","postings":{pair}}}"#),
            None,
            Some(GRACE),
        );
        check(r#"{"reference":null,"postings":"none"}"#, None, None);
        check(
            &format!(r#"{{"debtor_account":"{ADA}","creditor_account":"{GRACE}","postings":[]}}"#),
            None,
            Some(GRACE),
        );
        check(r#"{"reference":"a","postings":[{"x":1}]}"#, Some("a"), None);
        check("[]", None, None);
        check("no JSON", None, None);
    }
}
