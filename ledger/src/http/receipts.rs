//! Receipts: one answer with the proof that it is in the log, and the proof that the log has only grown.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::app::App;
use super::transactions::{READERS, body_in, shown_to};
use crate::core::chain::{Chain, Digest};
use crate::core::merkle::root_by_inclusion;
use crate::receipts::document::{Receipt, ReceiptAnswer};
use crate::receipts::leaf::Leaf;
use crate::receipts::tree::TreeError;
use crate::store::{self, CheckpointRow};

/// The tree as it was signed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SignedTree {
    /// How many answers it has: those from 1 to this sequence.
    size: u64,
    /// Its root as RFC 6962 hashes it, in hex.
    root: String,
    /// The signed note, as c2sp.org/tlog-checkpoint describes.
    note: String,
    signed_at: DateTime<Utc>,
    /// The public key, as c2sp.org/signed-note writes it.
    key: String,
    /// The SHA-256 of the public key, in hex: what people compare.
    fingerprint: String,
}

impl SignedTree {
    /// The newest that was signed; over at least so many answers if that is asked for. `None` when this ledger signs
    /// nothing, or nothing is decided yet.
    pub(super) async fn newest(app: &App, wanted: Option<u64>) -> Result<Option<Self>, Problem> {
        let Ok(key) = app.tree.key() else {
            return Ok(None);
        };
        let row = match wanted {
            Some(0) => None,
            Some(wanted) => Some(app.tree.checkpoint_over(wanted).await?),
            None => store::checkpoint_up_to(&app.pool, u64::MAX).await?,
        };
        Ok(row.map(|row| Self {
            size: row.size,
            root: Chain(row.root).to_string(),
            note: row.note,
            signed_at: row.signed_at,
            key: key.to_string(),
            fingerprint: key.fingerprint(),
        }))
    }
}

impl From<TreeError> for Problem {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::NoKey | TreeError::Behind { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            TreeError::Torn(_) => Self::unavailable("the tree of receipts", &error),
            TreeError::Database(error) => error.into(),
        }
    }
}

/// Get a receipt
///
/// The answer to request `seq` with the proof that it is in the log, up to a signed root, so that anybody can check it
/// without the bank: `quittance audit check-receipt`, or `examples/python/check_receipt.py`. The sender of the request and
/// the bank get the whole answer; the owner of the other account of a payment gets the form that hides balances and metadata.
#[utoipa::path(
    get,
    path = "/transactions/{seq}/receipt",
    tag = "Receipts",
    params(("seq" = u64, Path, description = "The place of the request in the log, from 1.", example = 1)),
    responses(Reply<200, Receipt>, Problems<404>),
    security(
        ("bearer" = ["payments:read"]), ("bearer" = ["accounts:read"]), ("bearer" = ["audit:read"]),
        ("bearer" = ["bank:operate"]),
    ),
)]
pub(super) async fn receipt(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    seq: Result<Path<u64>, PathRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let Path(seq) = seq?;
    let (row, form) = shown_to(&app, caller.claims(), seq).await?;
    let checkpoint = app.tree.checkpoint_over(seq).await?;
    let proof = app.tree.inclusion(seq - 1, checkpoint.size).await?;
    let before = store::chain_after(&app.pool, seq - 1).await?;
    let leaf = Leaf::of(before, seq, row.published_at, row.request, &row.body);
    // The row may have been changed since: then there is nothing to hand out.
    if root_by_inclusion(seq - 1, checkpoint.size, leaf.hash(), &proof) != Some(checkpoint.root) {
        return Err(TreeError::Torn(checkpoint.size).into());
    }
    let body = body_in(form, row.body);
    let answer = ReceiptAnswer {
        form,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let (note, key) = (checkpoint.note, app.tree.key()?);
    Ok(Json(Receipt::new(&leaf, answer, &proof, note, &key)).into_response())
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsistencyQuery {
    /// Leaves of the smaller tree, at least 1: the size in an older checkpoint.
    #[schemars(range(min = 1), example = 1)]
    from: u64,
    /// Leaves of the larger tree; of the newest checkpoint unless named.
    to: Option<u64>,
}

/// The proof that one tree is the beginning of another: that nothing before was changed.
#[derive(Debug, Serialize, JsonSchema)]
struct Consistency {
    from: u64,
    to: u64,
    /// The hashes, as RFC 6962 describes, in hex.
    proof: Vec<String>,
    /// The root of the larger tree, if it was signed, as a note.
    checkpoint: Option<String>,
}

/// Prove that the log has only grown
///
/// The hashes that lead from the root of an older checkpoint to that of a newer one, which can't be had if anything before
/// was changed.
#[utoipa::path(
    get,
    path = "/checkpoint/consistency",
    tag = "Receipts",
    params(Of<ConsistencyQuery>),
    responses(Reply<200, Consistency>),
    security(
        ("bearer" = ["payments:read"]), ("bearer" = ["accounts:read"]), ("bearer" = ["audit:read"]),
        ("bearer" = ["bank:operate"]),
    ),
)]
pub(super) async fn consistency(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<ConsistencyQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let Query(ConsistencyQuery { from, to }) = query?;
    // In this order: the tree only grows, so it has all that was signed.
    let newest = store::checkpoint_up_to(&app.pool, to.unwrap_or(u64::MAX)).await?;
    let size = store::tree_size(&app.pool).await?;
    let to = to
        .or(newest.as_ref().map(|newest| newest.size))
        .unwrap_or(size);
    if from == 0 || from > to || to > size {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("from and to are sizes of the tree from 1 to {size}, the smaller one first"),
        ));
    }
    let proof = app.tree.consistency(from, to).await?;
    let signed = newest.filter(|newest: &CheckpointRow| newest.size == to);
    Ok(Json(Consistency {
        from,
        to,
        proof: proof
            .iter()
            .map(|hash: &Digest| Chain(*hash).to_string())
            .collect(),
        checkpoint: signed.map(|signed| signed.note),
    })
    .into_response())
}
