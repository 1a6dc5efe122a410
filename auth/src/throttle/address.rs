//! Where a request comes from, as far as shares and locks are concerned, and whom to believe about it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An IPv4 address, or the /64 of an IPv6 one: whoever has one address of a /64 has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        // `::ffff:192.0.2.1` is an IPv4 address on a socket for both.
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl Address {
    /// The bytes to hash.
    pub(super) fn octets(&self) -> Vec<u8> {
        match self.0 {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// The client of a request that a peer sent for these hops: from the last hop to the first one, as long as the one who names it is trusted.
pub(crate) fn client(peer: IpAddr, hops: &[&str], trusted: &[Network]) -> IpAddr {
    let mut client = peer.to_canonical();
    for hop in hops.iter().rev() {
        if !trusted.iter().any(|network| network.contains(client)) {
            break;
        }
        // Some proxies write a port too.
        let hop = hop.trim();
        let named = hop.parse().ok();
        let named = named.or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
        let Some(named) = named else { break };
        client = named.to_canonical();
    }
    client
}

/// Addresses that begin with the same bits: `10.0.0.0/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let parse = || {
            let address: IpAddr = address.parse().ok()?;
            let bits_max = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(bits_max), |bits| bits.parse().ok())?;
            (bits <= bits_max).then_some(Self { address, bits })
        };
        parse().ok_or_else(|| "a network is like 10.0.0.0/8, 192.0.2.1 or fd00::/8".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_64_are_one_address() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(Address::from(address).to_string(), expected);
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_who_the_client_is() {
        let trusted: Vec<Network> = ["127.0.0.0/8", "::1", "10.0.0.7"]
            .map(|network| network.parse().unwrap())
            .to_vec();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", "", "192.0.2.1"),
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("::1", "2001:db8::1", "2001:db8::1"),
            // What the client itself has put there does not count.
            ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            (
                "127.0.0.1",
                "198.51.100.1, 203.0.113.9,10.0.0.7",
                "203.0.113.9",
            ),
            ("127.0.0.1", "203.0.113.9:1234", "203.0.113.9"),
            ("127.0.0.1", "[2001:db8::1]:1234", "2001:db8::1"),
            ("127.0.0.1", "203.0.113.9, unknown", "127.0.0.1"),
            ("10.0.0.8", "203.0.113.9", "10.0.0.8"),
        ] {
            let hops: Vec<_> = forwarded.split(',').filter(|hop| !hop.is_empty()).collect();
            let client = client(peer.parse().unwrap(), &hops, &trusted);
            assert_eq!(client.to_string(), expected, "{peer} for {forwarded:?}");
        }
    }

    #[test]
    fn a_network_is_an_address_and_perhaps_bits() {
        for good in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "192.0.2.1"] {
            assert!(good.parse::<Network>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "localhost",
            "10/8",
            "1.2.3.4/-1",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
