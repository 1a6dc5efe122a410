//! The tree of receipts for monitors, as C2SP's tlog-tiles describe: the checkpoint, and the tiles of hashes below it.
//!
//! Whoever has the tiles can make every proof, and see that the whole tree has the signed root, without asking for proofs one
//! by one. Hashes say nothing of what was hashed. Entries are another thing: they would show everybody's payments, so they
//! are not served.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use common::http::describe::answers::{Bytes, Problems, Text};
use common::http::problem::Problem;
use common::tile::Tile;

use super::app::App;
use super::transactions::READERS;
use crate::store;

/// Hashes that were signed never change. Only the asking client may keep them, since it had to show a token.
const FOR_EVER: &str = "private, max-age=31536000, immutable";
/// Where tlog-tiles have what was hashed.
const ENTRIES: &str = "entries";

/// Get the signed root of the tree
///
/// The newest checkpoint as a signed note, and nothing else: c2sp.org/tlog-checkpoint. While answers come, one is signed each
/// minute, and for a receipt that none covers yet. This and the tiles are what c2sp.org/tlog-tiles describe, with `/tree` as the prefix.
#[utoipa::path(
    get,
    path = "/tree/checkpoint",
    tag = "Receipts",
    responses(Text<200>, Problems<404>),
    security(
        ("bearer" = ["payments:read"]), ("bearer" = ["accounts:read"]), ("bearer" = ["audit:read"]),
        ("bearer" = ["bank:operate"]),
    ),
)]
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let newest = store::checkpoint_up_to(&app.pool, u64::MAX).await?;
    let newest = newest.ok_or_else(|| missing("nothing of the tree is signed yet"))?;
    Ok(newest.note.into_response())
}

/// Get a tile of the tree
///
/// Up to 256 hashes of 32 bytes, one behind the other, each the root of 256^`level` answers. `number` has groups of three
/// digits, all but the last behind an `x`: tile 1 234 067 is `x001/x234/067`. A tile that is not full has its width behind
/// it, as in `x001/x234/067.p/8`. There are tiles as far as the newest checkpoint goes, and what was served never changes:
/// c2sp.org/tlog-tiles. Entries are not served, because they would show everybody's payments.
#[utoipa::path(
    get,
    path = "/tree/tile/{level}/{*number}",
    tag = "Receipts",
    params(
        ("level" = u8, Path, description = "0 holds the hashes of the answers themselves.", maximum = 63, example = 0),
        (
            "number" = String, Path, pattern = r"^(x[0-9]{3}/)*[0-9]{3}(\.p/[1-9][0-9]{0,2})?$",
            description = "Which tile of its level, and how many of its hashes. Its slashes may stand as they are.",
            example = "000.p/1",
        ),
    ),
    responses(Bytes<200>, Problems<404>),
    security(
        ("bearer" = ["payments:read"]), ("bearer" = ["accounts:read"]), ("bearer" = ["audit:read"]),
        ("bearer" = ["bank:operate"]),
    ),
)]
pub(super) async fn tile(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let Path((level, number)) = path?;
    if level == ENTRIES {
        return Err(missing(
            "entries are not served, because they would show everybody's payments; a receipt shows an answer to its parties",
        ));
    }
    let asked = Tile::read(&level, &number)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let tile = app.tree.tile(asked).await?;
    let tile = tile.ok_or_else(|| {
        missing(&format!(
            "the tree as it was signed last has no tile {asked}"
        ))
    })?;
    let about = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, FOR_EVER),
    ];
    Ok((about, tile).into_response())
}

fn missing(detail: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, detail)
}
