//! What staff did with accounts: each blocks what the answers about it say, and has the limits that they say.

use std::collections::BTreeMap;

use common::kinds::Answer;
use common::kinds::account::{AccountAnswer, AccountStatus, Limits, Side};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::core::book::account::Status;
use crate::store::OpenedAccountRow;

/// The accounts that answers changed since they were opened.
#[derive(Debug, Default)]
pub(super) struct Controlled(BTreeMap<Uuid, Standing>);

#[derive(Debug)]
struct Standing {
    status: Status,
    limits: Limits,
}

impl Controlled {
    /// Takes in what an answer of this type says.
    pub(super) fn hear(&mut self, event_type: &str, body: &[u8]) {
        let is_about_accounts = event_type.starts_with("account.");
        if !is_about_accounts || event_type == "account.opened.v1" {
            return;
        }
        if let Ok(Answer::Account(answer)) = Answer::from_json(event_type, body) {
            self.follow(&answer);
        }
    }

    fn follow(&mut self, answer: &AccountAnswer) {
        let Some(account) = answer.account_id else {
            return;
        };
        let side = answer.side.unwrap_or(Side::Both);
        let change: fn(Status, Side) -> Option<Status> = match answer.status {
            AccountStatus::Frozen => Status::frozen,
            AccountStatus::Unfrozen => Status::unfrozen,
            AccountStatus::Closed => |_, _| Some(Status::Closed),
            AccountStatus::Limited => |status, _| Some(status),
            AccountStatus::Opened | AccountStatus::Rejected | AccountStatus::Duplicate => return,
        };
        let standing = self.0.entry(account.0).or_insert_with(|| Standing {
            status: Status::Open,
            limits: Limits {
                overdraft_limit: answer.overdraft_limit.clone(),
                ..Limits::default()
            },
        });
        // What follows a close, no answer says; then the table has to be closed too.
        standing.status = change(standing.status, side).unwrap_or(Status::Closed);
        if let Some(limits) = &answer.limits {
            standing.limits = limits.clone();
        }
    }

    /// What the table says of an account that no answer does. `opened_with` is the overdraft that its opening says.
    pub(super) fn differs(
        &self,
        row: &OpenedAccountRow,
        opened_with: Option<&str>,
    ) -> Option<String> {
        let as_opened = Standing {
            status: Status::Open,
            limits: Limits {
                overdraft_limit: opened_with.map(str::to_owned),
                ..Limits::default()
            },
        };
        let said = self.0.get(&row.id).unwrap_or(&as_opened);
        let (id, status) = (row.id, &row.status);
        if said.status.as_str() != status {
            return Some(format!(
                "account {id} is {status} in the database, but {} by the answers about it",
                said.status.as_str()
            ));
        }
        let overdraft = said.limits.overdraft_limit.as_deref().unwrap_or("0");
        if overdraft.parse() != Ok::<Decimal, _>(row.overdraft_limit) {
            let stored = row.overdraft_limit;
            return Some(format!(
                "the overdraft limit of account {id} is {stored} in the database, but {overdraft} by the answers about it"
            ));
        }
        let limits = Limits {
            overdraft_limit: None,
            ..said.limits.clone()
        };
        (row.limits.as_ref() != Some(&limits)).then(|| {
            format!(
                "the limits of account {id} in the database are not those in the answers about it"
            )
        })
    }
}
