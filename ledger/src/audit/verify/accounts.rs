//! The accounts: each was opened by an answer, as what it is, is as answers changed it since, is within its limit, and holds
//! what its holds say.

use serde_json::Value;
use sqlx::PgConnection;

use super::controls::Controlled;
use super::fault;
use crate::audit::error::Stop;
use crate::core::chain::Cursor;
use crate::store::{self, MisheldAccount, OpenedAccountRow};

/// Accounts that are read at a time.
const PORTION: i64 = 1000;

/// Checks every account. Returns how many there are.
pub(super) async fn check(
    db: &mut PgConnection,
    cursor: Cursor,
    controlled: &Controlled,
    progress: &mut impl FnMut(u64, u64),
) -> Result<u64, Stop> {
    let answered = store::answered_openings(&mut *db, cursor).await?;
    let (mut count, mut last) = (0, i64::MIN);
    loop {
        let rows = store::accounts_behind(&mut *db, last, PORTION).await?;
        let Some(row) = rows.last() else {
            break;
        };
        last = row.opened_seq;
        for row in &rows {
            count += 1;
            opened(row, controlled)?;
        }
        progress(count, answered.max(count));
    }
    if let Some(misheld) = store::misheld_account(&mut *db).await? {
        let MisheldAccount { id, held, sum } = misheld;
        return fault(format!(
            "account {id} has {held} held, but its holds come to {sum}"
        ));
    }
    if count == answered {
        return Ok(count);
    }
    fault(format!(
        "{answered} accounts were opened, and there are {count}"
    ))
}

fn opened(row: &OpenedAccountRow, controlled: &Controlled) -> Result<(), Stop> {
    let OpenedAccountRow {
        id,
        opened_seq,
        available,
        ..
    } = row;
    let is_opening = row.event_type.as_deref() == Some("account.opened.v1");
    let body: Value = row
        .body
        .as_deref()
        .filter(|_| is_opening)
        .and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default();
    if body["account_id"].as_str() != Some(&*id.to_string()) {
        return fault(format!(
            "account {id} was opened by request {opened_seq} as the table says, but answer {opened_seq} does not say so"
        ));
    }
    for (name, column) in [
        ("owner", &row.owner),
        ("currency", &row.currency),
        ("category", &row.category),
    ] {
        let answered = body[name].as_str().unwrap_or_default();
        if answered != column {
            return fault(format!(
                "the {name} of account {id} is {column} in the database, but it was opened with {answered}"
            ));
        }
    }
    if let Some(difference) = controlled.differs(row, body["overdraft_limit"].as_str()) {
        return fault(difference);
    }
    if available.is_sign_negative() && !available.is_zero() {
        return fault(format!(
            "account {id} is beyond its limit: {available} is available"
        ));
    }
    Ok(())
}
