//! Ports on 127.0.0.1: those that a home had, at first the usual ones while they are free, any free ones for tests.
//!
//! Free ports are taken below 32 000, outside of the range from which systems serve outgoing
//! connections, so that a server killed and started again finds its port still free.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

const FREE_FIRST: u16 = 20_000;
const FREE_COUNT: u16 = 12_000;

/// Which ports to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Those that the home had; at first the usual ones. One that is taken moves to a free one.
    Kept,
    /// gateway 8080, auth 8081, ledger 8082, payments 8083, NATS 4222, PostgreSQL 5433; one that is taken moves to a free one.
    Usual,
    /// Free ones, different for each home.
    Free,
}

impl Ports {
    /// The `last` port or the `usual` one when it is wanted and not taken, else a free one.
    pub(crate) fn pick(self, last: Option<u16>, usual: u16) -> Result<u16> {
        let wanted = match self {
            Self::Kept => [last, Some(usual)],
            Self::Usual => [Some(usual), None],
            Self::Free => [last.filter(|last| *last != usual), None],
        };
        let wanted = wanted.into_iter().flatten().find(|port| is_free(*port));
        wanted.map_or_else(free, Ok)
    }
}

/// A port nobody listens on; never the same twice in one process.
pub(crate) fn free() -> Result<u16> {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        let seed = RandomState::new().hash_one(std::process::id()) % u64::from(FREE_COUNT);
        AtomicU16::new(u16::try_from(seed).expect("a remainder of FREE_COUNT fits"))
    });
    for _ in 0..FREE_COUNT {
        let port = FREE_FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % FREE_COUNT;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!(
        "no free TCP port on 127.0.0.1 between {FREE_FIRST} and {}",
        FREE_FIRST + FREE_COUNT
    )
}

/// The loopback address with this port: nothing here listens anywhere else.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(loopback(port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_keeps_its_port_while_it_is_free() {
        let [usual, last] = [free().unwrap(), free().unwrap()];
        let pick = |ports: Ports, last| ports.pick(last, usual).unwrap();
        assert_eq!(pick(Ports::Kept, None), usual);
        assert_eq!(pick(Ports::Kept, Some(last)), last);
        assert_eq!(pick(Ports::Usual, Some(last)), usual);
        assert_eq!(pick(Ports::Free, Some(last)), last);
        assert_ne!(pick(Ports::Free, Some(usual)), usual);
        let _other = TcpListener::bind(loopback(last)).unwrap();
        assert_eq!(pick(Ports::Kept, Some(last)), usual);
        assert_ne!(pick(Ports::Free, Some(last)), last);
    }
}
