//! The postings, account by account: numbered without a gap, each balance following from the one before.

use common::kinds::account::Category;
use common::kinds::posting::Direction;
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::fault;
use crate::audit::error::Stop;
use crate::core::book::account::normal_side;
use crate::core::chain::Cursor;
use crate::store::{self, LinedPostingRow};

/// Postings that are read at a time.
const PORTION: i64 = 5000;

/// The posting before, on the same account.
#[derive(Default)]
struct Before {
    account_seq: i64,
    number: i64,
    request_seq: i64,
    balance: Decimal,
}

/// Checks every posting; there must be as many as the answers have.
pub(super) async fn check(
    db: &mut PgConnection,
    cursor: Cursor,
    answered: u64,
    progress: &mut impl FnMut(u64),
) -> Result<(), Stop> {
    let mut before = Before {
        account_seq: i64::MIN,
        ..Before::default()
    };
    let mut count = 0;
    loop {
        let (account_seq, number) = (before.account_seq, before.number);
        let rows = store::postings_behind(&mut *db, account_seq, number, PORTION).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            count += 1;
            before = follows(before, &row, cursor)?;
        }
        progress(count);
    }
    if count == answered {
        return Ok(());
    }
    match store::unanswered_posting(db).await? {
        Some(seq) => fault(format!(
            "something is posted for request {seq}, which has no answer"
        )),
        None => fault(format!(
            "there are {count} postings, and the answers have {answered}"
        )),
    }
}

fn follows(before: Before, row: &LinedPostingRow, cursor: Cursor) -> Result<Before, Stop> {
    let LinedPostingRow {
        account_seq,
        number,
        request_seq,
        amount,
        balance,
        ..
    } = *row;
    let (Some(account), Some(category)) = (row.account, &row.category) else {
        return fault(format!(
            "a posting of request {request_seq} is on the account that request {account_seq} opened, and there is none"
        ));
    };
    let Some(category) = Category::from_word(category) else {
        return fault(format!(
            "account {account} has the unknown category {category}"
        ));
    };
    let before = if before.account_seq == account_seq {
        before
    } else {
        Before {
            account_seq,
            ..Before::default()
        }
    };
    let due = before.number + 1;
    if number != due {
        return fault(format!(
            "posting {due} of account {account} is missing: the next one has number {number}, for request {request_seq}"
        ));
    }
    if request_seq < before.request_seq
        || u64::try_from(request_seq).is_ok_and(|seq| seq > cursor.seq)
    {
        let last = before.request_seq;
        return fault(format!(
            "posting {number} of account {account} is for request {request_seq}, which is not between {last} and the cursor"
        ));
    }
    let change = match normal_side(category) {
        Direction::Debit => amount,
        Direction::Credit => -amount,
    };
    let expected = before.balance + change;
    if balance != expected {
        return fault(format!(
            "the balance of account {account} after its posting {number}, of request {request_seq}, is {balance} in the \
             database, but {expected} by the amounts"
        ));
    }
    Ok(Before {
        account_seq,
        number,
        request_seq,
        balance,
    })
}
