//! Writing what is rarer than payments: accounts that are opened, keys that are noted, tokens that are revoked, rules that are
//! raised.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

use std::collections::BTreeMap;

use common::ids::AccountId;
use common::kinds::trust::AnnounceKey;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;

use super::controls::ControlsColumn;
use super::holds;
use super::reversals;
use super::revocations::{self, Revoked};
use super::values::{bigint, column};
use crate::core::batch::Batch;
use crate::core::book::account::{Account, Standing};
use crate::core::book::hold::Hold;
use crate::core::change::{Change, Reversal};
use crate::core::rules::Rules;

/// The rarer changes of a batch. Keys and rules come with the sequence of their request.
#[derive(Default)]
pub(super) struct RareChanges<'b> {
    opened: Vec<&'b Account>,
    /// How each account stands at the end of the batch.
    standings: BTreeMap<AccountId, &'b Standing>,
    /// How each hold stands at the end of the batch, by the request that authorised it.
    holds: BTreeMap<u64, &'b Hold>,
    reversals: Vec<(u64, &'b Reversal)>,
    noted: Vec<(u64, &'b AnnounceKey)>,
    revoked: Vec<Revoked<'b>>,
    raised: Vec<(u64, Rules)>,
}

impl<'b> RareChanges<'b> {
    pub(super) fn of(batch: &'b Batch) -> Self {
        let mut rare = Self::default();
        for item in &batch.decided {
            let seq = item.request.at.seq;
            for change in &item.changes {
                match change {
                    Change::PaymentIdUsed(..) | Change::Posted(_) => {}
                    Change::AccountOpened(account) => rare.opened.push(account),
                    Change::AccountStands(id, standing) => {
                        rare.standings.insert(*id, standing);
                    }
                    Change::HoldStands(hold) => {
                        rare.holds.insert(hold.seq, hold);
                    }
                    Change::Reversed(reversal) => rare.reversals.push((seq, reversal)),
                    Change::KeyNoted(key) => rare.noted.push((seq, key)),
                    Change::Revoked(target, published_at) => {
                        rare.revoked.push((seq, *published_at, target));
                    }
                    Change::RulesRaised(rules) => rare.raised.push((seq, *rules)),
                }
            }
        }
        rare
    }

    pub(super) fn is_empty(&self) -> bool {
        self.opened.is_empty()
            && self.standings.is_empty()
            && self.holds.is_empty()
            && self.reversals.is_empty()
            && self.noted.is_empty()
            && self.revoked.is_empty()
            && self.raised.is_empty()
    }

    /// Writes them; payments of the same batch may need the accounts.
    pub(super) async fn write(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        if !self.opened.is_empty() {
            insert_accounts(db, &self.opened).await?;
        }
        if !self.standings.is_empty() {
            let standings: Vec<_> = self.standings.iter().map(|(id, s)| (*id, *s)).collect();
            update_accounts(db, &standings).await?;
        }
        if !self.holds.is_empty() {
            let holds: Vec<_> = self.holds.values().copied().collect();
            holds::write_holds(&mut *db, &holds).await?;
        }
        if !self.reversals.is_empty() {
            reversals::insert_reversals(&mut *db, &self.reversals).await?;
        }
        if !self.noted.is_empty() {
            insert_keys(db, &self.noted).await?;
        }
        if !self.revoked.is_empty() {
            revocations::insert(&mut *db, &self.revoked).await?;
        }
        if !self.raised.is_empty() {
            insert_rules(db, &self.raised).await?;
        }
        Ok(())
    }
}

async fn insert_accounts(db: &mut PgConnection, opened: &[&Account]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into account (id, owner, name, currency, category, status, overdraft_limit, held, opened_seq, metadata)
         select id, owner, name, currency, category, status, overdraft_limit, 0, opened_seq, metadata
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[], $8::bigint[],
                     $9::jsonb[])
             as opened (id, owner, name, currency, category, status, overdraft_limit, opened_seq, metadata)",
        &column(opened, |account| account.id.0),
        &column(opened, |account| &*account.owner) as &[&str],
        &column(opened, |account| account.name.as_deref()) as &[Option<&str>],
        &column(opened, |account| account.posted.currency().code()) as &[&str],
        &column(opened, |account| account.category.as_str()) as &[&str],
        &column(opened, |account| account.status.as_str()) as &[&str],
        &column(opened, |account| account.overdraft_limit.amount()),
        &column(opened, |account| bigint(account.opened_seq)),
        &column(opened, |account| {
            let metadata = &account.metadata;
            (!metadata.is_empty()).then_some(Json(metadata))
        }) as &[Option<Json<&BTreeMap<String, String>>>],
    )
    .execute(db)
    .await
    .map(drop)
}

async fn update_accounts(
    db: &mut PgConnection,
    standings: &[(AccountId, &Standing)],
) -> sqlx::Result<()> {
    let controls = |standing: &Standing| {
        let controls = standing.controls.as_deref();
        controls.map(|controls| Json(ControlsColumn::from(controls)))
    };
    sqlx::query!(
        "update account set status = stands.status, overdraft_limit = stands.overdraft_limit, held = stands.held,
                            controls = stands.controls
         from unnest($1::uuid[], $2::text[], $3::numeric[], $4::numeric[], $5::jsonb[])
             as stands (id, status, overdraft_limit, held, controls)
         where account.id = stands.id",
        &column(standings, |(id, _)| id.0),
        &column(standings, |(_, standing)| standing.status.as_str()) as &[&str],
        &column(standings, |(_, standing)| standing.overdraft_limit.amount()),
        &column(standings, |(_, standing)| standing.held.amount()),
        &column(standings, |(_, standing)| controls(standing)) as &[Option<Json<ControlsColumn>>],
    )
    .execute(db)
    .await
    .map(drop)
}

async fn insert_keys(db: &mut PgConnection, noted: &[(u64, &AnnounceKey)]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into signing_key (kid, issuer, n, e, announced_seq)
         select kid, issuer, n, e, announced_seq
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
             as noted (kid, issuer, n, e, announced_seq)",
        &column(noted, |(_, key)| &*key.kid) as &[&str],
        &column(noted, |(_, key)| &*key.issuer) as &[&str],
        &column(noted, |(_, key)| &*key.n) as &[&str],
        &column(noted, |(_, key)| &*key.e) as &[&str],
        &column(noted, |(seq, _)| bigint(*seq)),
    )
    .execute(db)
    .await
    .map(drop)
}

async fn insert_rules(db: &mut PgConnection, raised: &[(u64, Rules)]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rules_raised (version, raised_seq)
         select version, raised_seq from unnest($1::integer[], $2::bigint[]) as raised (version, raised_seq)",
        &column(raised, |(_, rules)| rules.number().cast_signed()),
        &column(raised, |(seq, _)| bigint(*seq)),
    )
    .execute(db)
    .await
    .map(drop)
}
