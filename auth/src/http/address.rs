//! Which client a request comes from: the peer, or whom a trusted proxy names in `X-Forwarded-For`.
//!
//! The answer replaces the header, so that a handler finds in it one address and the right one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::Auth;
use crate::throttle::{Address, client};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Writes the client's address into the header.
pub(super) async fn find(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let hops = request.headers().get_all(&X_FORWARDED_FOR).iter();
    let hops: Vec<_> = hops
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .collect();
    let client = client(peer, &hops, &auth.trusted_proxies);
    let value = HeaderValue::try_from(client.to_string()).expect("an address is ASCII");
    request.headers_mut().insert(&X_FORWARDED_FOR, value);
    next.run(request).await
}

/// The client that [`find`] found.
pub(super) fn of(headers: &HeaderMap) -> Address {
    let address = headers.get(&X_FORWARDED_FOR);
    let address = address.and_then(|value| value.to_str().ok()?.parse::<IpAddr>().ok());
    address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).into()
}
