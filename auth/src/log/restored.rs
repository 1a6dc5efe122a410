//! A database that was restored from a backup may not know that a key was revoked. The log does, so auth asks it before the
//! first token is signed: what the ledger has noted behind the last revocation that this database knows of.

use std::collections::BTreeMap;

use anyhow::anyhow;
use common::broker;
use common::kinds::revocation::{self, RevocationStatus};
use common::kinds::{self, Answer};
use common::token::Target;
use common::wire;

use super::announce::Failure;
use super::{CLIENT_ID, Streams};
use crate::app::Auth;
use crate::keys::lifecycle::State;
use crate::store;
use crate::store::keys::StoredKey;

/// Revokes here what the log says is revoked.
///
/// # Errors
/// [`Failure::Refused`] when the key that signs is among them and no other is here that could follow it.
pub(super) async fn revoke_what_the_log_revoked(
    auth: &Auth,
    streams: &Streams,
) -> Result<(), Failure> {
    let revoked = revoked_since(auth, streams).await?;
    let keys = store::keys::all(&auth.pool).await?;
    let voucher = auth.keys.ring.voucher();
    let follows = |key: &StoredKey| {
        key.state == State::Pending.as_str()
            && key.announced_seq.is_some()
            && !revoked.contains_key(&key.kid)
    };
    if let Some(sequence) = revoked.get(&voucher.kid)
        && !keys.iter().any(follows)
    {
        return Err(Failure::Refused(anyhow!(
            "signing key {} was revoked, by request {sequence} of the log, after the backup that this database was \
             restored from, and the key that followed it is not here: restore a newer backup of auth's database",
            voucher.kid,
        )));
    }
    for key in keys {
        if key.state == State::Revoked.as_str() || key.is_imported {
            continue;
        }
        if let Some(sequence) = revoked.get(&key.kid) {
            let kid = &key.kid;
            tracing::warn!(
                kid,
                sequence,
                "the log says that this key is revoked, so this database is an older backup"
            );
            let revoked = auth.keys.revoke(&auth.pool, kid, CLIENT_ID).await;
            revoked.map_err(|error| Failure::Refused(error.into()))?;
        }
    }
    Ok(())
}

/// The keys whose revocation the ledger has noted since this database last heard of one, and where.
async fn revoked_since(auth: &Auth, streams: &Streams) -> Result<BTreeMap<String, u64>, Failure> {
    let mut revoked = BTreeMap::new();
    let Some(known) = store::revocations::last_known_seq(&auth.pool).await? else {
        return Ok(revoked);
    };
    let subject = kinds::answer_subject(revocation::SUBJECT);
    let mut next = u64::try_from(known)? + 1;
    while let Some(answer) =
        broker::get_next(&streams.jetstream, wire::SETTLEMENTS, &subject, next).await?
    {
        next = answer.sequence + 1;
        if let Ok(Answer::Revocation(of)) = Answer::of_message(&answer)
            && of.status != RevocationStatus::Rejected
            && let Some(Target::Key { kid }) = of.target
        {
            revoked.insert(kid, answer.sequence);
        }
    }
    Ok(revoked)
}
