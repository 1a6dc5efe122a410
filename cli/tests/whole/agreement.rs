//! What must hold after any crash: every request has an answer, a replay of the log gives the same books, and the books
//! hold together.

use anyhow::{Result, ensure};
use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};
use ledger::audit::{Summary, Verdict, Verified, replay, verify};
use local::Servers;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{PATIENCE, TestBank, config};

impl TestBank {
    /// Waits until everything in the log is answered, then checks what must hold after any crash: as many answers as
    /// requests, each the one that a replay of the log gives, balances equal to the sums of postings, money neither
    /// made nor lost.
    pub(crate) async fn check_invariants(&self) -> Result<Summary> {
        let streams = self.audit().await?;
        let requests = broker::last_sequence(&streams, REQUESTS).await?;
        self.answer(requests).await?;
        let answers = broker::last_sequence(&streams, SETTLEMENTS).await?;
        ensure!(
            answers == requests,
            "{answers} answers to {requests} requests"
        );
        let summary = agreed(self.bank.servers()).await?;
        ensure!(
            summary.requests == requests,
            "replayed {} of {requests}",
            summary.requests
        );
        self.verify().await?;
        Ok(summary)
    }

    /// The books hold together, and are what is published.
    async fn verify(&self) -> Result<()> {
        let url = self.bank.servers().audit_database_url();
        let mut database = PgConnection::connect(&url).await?;
        match verify(Some(&self.config("audit")), &mut database, |_, _, _| {}).await? {
            Verified::Sound(_) => Ok(()),
            Verified::Fault(fault) => anyhow::bail!("the verification finds: {fault}"),
        }
    }

    /// An audit replay.
    pub(crate) async fn replay(&self) -> Result<Verdict> {
        verdict(self.bank.servers()).await
    }
}

/// An audit replay that must agree.
pub(crate) async fn agreed(servers: &Servers) -> Result<Summary> {
    match verdict(servers).await? {
        Verdict::Agrees(summary) => Ok(summary),
        Verdict::Differs(difference) => anyhow::bail!("the replay differs: {difference}"),
    }
}

async fn verdict(servers: &Servers) -> Result<Verdict> {
    let mut database = PgConnection::connect(&servers.audit_database_url()).await?;
    let audit = config(servers, "audit");
    Ok(tokio::time::timeout(PATIENCE, replay(&audit, &mut database, |_, _| {})).await??)
}
