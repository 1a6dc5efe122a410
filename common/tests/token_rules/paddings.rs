//! What may stand in a signature besides the digest: one thing, byte for byte. Every other padding that project Wycheproof
//! knows is put around the digest of a token of ours and signed with our key.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::token::{Policy, TokenError, verify};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{BoxedUint, PrivateKey};

use crate::{KEYS, OURS, claims, header, now, parts};

const CASES: &str = include_str!("paddings.txt");
/// 2048 bits.
const BYTES: usize = 256;

#[test]
fn a_signature_has_one_padding_and_no_other() {
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&OURS.pair).expect("a key in memory");
    let key = PrivateKey::from_pkcs8_der(pkcs8.as_ref()).expect("a key that was just written");
    let signed = parts(&header().to_string(), &claims().to_string());
    let (mut valid, mut refused) = (0, 0);
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split(" | ").collect();
        let [number, verdict, case, bytes] = columns[..] else {
            panic!("a line without four columns: {line}")
        };
        let padded = padded(bytes, &signed);
        let signature = URL_SAFE_NO_PAD.encode(raised(&key, &padded));
        let judged = verify(&format!("{signed}.{signature}"), now(), Policy::HTTP, &KEYS);
        if verdict == "valid" {
            assert!(judged.is_ok(), "{number}, {case}: {judged:?}");
            valid += 1;
        } else {
            let judged = judged.map(drop);
            assert_eq!(judged, Err(TokenError::Signature), "{number}, {case}");
            refused += 1;
        }
    }
    assert_eq!((valid, refused), (1, 235), "rows were lost");
}

#[test]
fn a_number_that_is_no_signature_is_none() {
    let signed = parts(&header().to_string(), &claims().to_string());
    let modulus = URL_SAFE_NO_PAD.decode(&OURS.n).expect("base64url");
    let of = |last: u8| [vec![0; BYTES - 1], vec![last]].concat();
    let mut beyond = modulus.clone();
    // An odd number: one more is another last byte.
    *beyond.last_mut().expect("256 bytes") += 1;
    let whole = OURS.token(&header().to_string(), &claims().to_string());
    let (its_own, signature) = whole.rsplit_once('.').expect("three parts");
    let good = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    for (case, signed, number) in [
        ("empty", &*signed, vec![]),
        ("0", &signed, of(0)),
        ("1", &signed, of(1)),
        ("2", &signed, of(2)),
        ("n", &signed, modulus),
        ("n + 1", &signed, beyond),
        ("a byte short", its_own, good[1..].to_vec()),
        ("a zero in front", its_own, [&[0], &good[..]].concat()),
        ("a zero behind", its_own, [&good[..], &[0]].concat()),
    ] {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(number));
        let judged = verify(&token, now(), Policy::HTTP, &KEYS).map(drop);
        assert_eq!(judged, Err(TokenError::Signature), "{case}");
    }
}

/// The bytes that a row describes, around the digest of this text.
fn padded(row: &str, signed: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    for part in row.split(' ') {
        match part.split_once('*') {
            Some((byte, times)) => {
                let byte = u8::from_str_radix(byte, 16).expect("a byte");
                bytes.extend(vec![byte; times.parse().expect("a number")]);
            }
            None if part == "DIGEST" => {
                bytes.extend(digest(&SHA256, signed.as_bytes()).as_ref());
            }
            None => bytes.extend(
                (0..part.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&part[at..at + 2], 16).expect("hexadecimal")),
            ),
        }
    }
    assert_eq!(bytes.len(), BYTES, "{row}");
    bytes
}

/// What becomes these bytes when somebody verifies it.
fn raised(key: &PrivateKey, bytes: &[u8]) -> Box<[u8]> {
    let number = BoxedUint::from_be_slice_vartime(bytes);
    // It is blinded where it must be secret: here it is not.
    type Blinding = dyn rsa::rand_core::TryCryptoRng<Error = std::convert::Infallible>;
    let signature = rsa::hazmat::rsa_decrypt(None::<&mut Blinding>, key, &number);
    signature.expect("less than the modulus").to_be_bytes()
}
