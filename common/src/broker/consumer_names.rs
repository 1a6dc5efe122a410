//! What the consumers of readers are called.
//!
//! Whoever may make any consumer of a stream may also change everybody's, and pull from it. NATS' permissions can't say how
//! a name begins, so of SETTLEMENTS, which has the consumers of producers, each login has a few names, and the
//! permissions of payments list them (`nats/nats-server.conf`). No client id holds a colon, so none of them is a producer's.

use uuid::Uuid;

use crate::wire::SETTLEMENTS;

/// Readers of SETTLEMENTS that one login has at a time: two for each process, and those that a killed one left behind for
/// some seconds.
const NAMES: usize = 32;

/// The names of a login's consumers of SETTLEMENTS.
pub fn consumers_of_settlements(user: &str) -> impl Iterator<Item = String> {
    (1..=NAMES).map(move |number| format!("{user}:{number}"))
}

/// The names to try in turn. Processes begin at different ones, so the first is nearly always free.
pub(super) fn to_try(user: &str, stream: &str) -> Vec<String> {
    let random = Uuid::new_v4();
    if stream != SETTLEMENTS {
        return vec![random.simple().to_string()];
    }
    let mut names: Vec<_> = consumers_of_settlements(user).collect();
    let start = usize::from(random.as_bytes()[0]) % NAMES;
    names.rotate_left(start);
    names
}
