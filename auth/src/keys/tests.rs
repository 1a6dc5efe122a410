//! Keys for the tests of other modules, and what a signature is worth.

use std::sync::{Arc, LazyLock};

use super::keeper::Keeper;
use super::ring::{Believed, Held, Ring, Signer};
use super::*;

/// The key of [`ring`].
pub(crate) fn signing_key() -> &'static SigningKey {
    static KEY: LazyLock<Arc<SigningKey>> = LazyLock::new(|| ring().signing().expect("it signs"));
    &KEY
}

/// Keys for other modules' tests; making one takes long.
pub(crate) fn ring() -> &'static Ring {
    static RING: LazyLock<Ring> = LazyLock::new(|| ring_of(copy_of_the_key()));
    &RING
}

/// Keys that are kept nowhere.
pub(crate) fn keeper() -> Keeper {
    let issuer = copy_of_the_key().issuer;
    Keeper::of(ring_of(copy_of_the_key()), issuer)
}

fn ring_of(key: SigningKey) -> Ring {
    let believed = Believed::new(&key.kid, (&key.n, &key.e), None, false);
    Ring::new(Held {
        believed: vec![believed.expect("base64url of ours")],
        voucher: Arc::new(key),
        is_signing: true,
    })
}

/// The same key once more.
fn copy_of_the_key() -> SigningKey {
    static PRIVATE: LazyLock<rsa::pkcs8::SecretDocument> = LazyLock::new(|| {
        let private = PrivateKey::new(&mut SystemRng, MODULUS_BITS).expect("random enough");
        private.to_pkcs8_der().expect("a fresh key is encodable")
    });
    SigningKey::from_pkcs8(PRIVATE.as_bytes(), "https://auth.test").expect("just made")
}

#[test]
fn a_key_knows_its_own_signature_only() {
    let key = signing_key();
    let (signature, now) = (key.sign(b"message"), common::service::now());
    let signer = |kid: Option<&str>, message: &[u8], signature: &[u8]| {
        ring().signer(kid, message, signature, now)
    };
    let kid = Some(&*key.kid);
    assert_eq!(signer(kid, b"message", &signature), Some(Signer::Ours));
    assert_eq!(signer(kid, b"massage", &signature), None);
    assert_eq!(signer(kid, b"message", &signature[1..]), None);
    assert_eq!(signer(Some("other"), b"message", &signature), None);
    assert_eq!(signer(None, b"message", &signature), None);
    assert_eq!(
        format!("{key:?}"),
        format!("SigningKey {{ kid: {:?}, .. }}", key.kid)
    );
}
