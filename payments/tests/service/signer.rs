//! Keys and tokens, as auth makes them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::LazyLock;

use aws_lc_rs::error::Unspecified;
use axum::routing::post;
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::service;
use common::token::{ACCESS_TOKEN_TYPE, Audience, Claims, new_jti, thumbprint};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::PrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

/// Signs tokens as auth would.
pub(crate) struct Signer {
    pub(crate) kid: String,
    pub(crate) n: String,
    pub(crate) e: String,
    key: EncodingKey,
}

/// The key that the bank of every test has noted. Making one takes long.
pub(crate) static SIGNER: LazyLock<Signer> = LazyLock::new(Signer::new);
pub(crate) const ISSUER: &str = "https://auth.test";

impl Signer {
    pub(crate) fn new() -> Self {
        let private = PrivateKey::new(&mut SystemRng, 2048).unwrap();
        let (n, e) = (private.n_bytes(), private.e_bytes());
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        Self {
            kid: thumbprint(&n, &e).unwrap(),
            n,
            e,
            key: EncodingKey::from_rsa_der(private.to_pkcs1_der().unwrap().as_bytes()),
        }
    }

    /// A token for HTTP that was issued `age_s` seconds ago for 300 s.
    pub(crate) fn token(&self, client: &str, scope: &str, age_s: i64) -> String {
        let iat = service::now().timestamp() - age_s;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: format!("sub-of-{client}"),
            aud: Audience::Http.as_str().to_owned(),
            client_id: client.parse().unwrap(),
            scope: scope.to_owned(),
            iat,
            nbf: iat,
            exp: iat + 300,
            jti: new_jti(),
            token_type: ACCESS_TOKEN_TYPE.to_owned(),
            user_id: client.to_owned(),
            sid: None,
            act: None,
            payment_max: None,
            accounts: None,
        };
        self.sign(&claims)
    }

    fn sign(&self, claims: &Claims) -> String {
        let header = Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

/// A token of the noted key.
pub(crate) fn token(client: &str, scope: &str) -> String {
    SIGNER.token(client, scope, 0)
}

/// Where an auth of this process exchanges tokens of the noted key for tokens for the log, and does nothing else.
pub(crate) fn exchanging_auth() -> String {
    static ADDRESS: LazyLock<SocketAddr> = LazyLock::new(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        // Its own runtime: it serves every test of this process.
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let routes = Router::new().route("/oauth2/token", post(exchange));
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, routes).await.unwrap();
            });
        });
        address
    });
    format!("http://{}", *ADDRESS)
}

/// What a token says.
pub(crate) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn exchange(Form(parameters): Form<HashMap<String, String>>) -> Json<Value> {
    assert_eq!(parameters["audience"], "quittance-log");
    let claims: Claims = serde_json::from_value(claims(&parameters["subject_token"])).unwrap();
    let exchanged = Claims {
        aud: parameters["audience"].clone(),
        ..claims
    };
    Json(json!({"access_token": SIGNER.sign(&exchanged)}))
}

/// A token of the noted key that has expired.
pub(crate) fn expired_token(client: &str, scope: &str) -> String {
    SIGNER.token(client, scope, 301)
}

struct SystemRng;

impl rsa::rand_core::TryRng for SystemRng {
    type Error = Unspecified;

    fn try_next_u32(&mut self) -> Result<u32, Unspecified> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Unspecified> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Unspecified> {
        aws_lc_rs::rand::fill(bytes)
    }
}

impl rsa::rand_core::TryCryptoRng for SystemRng {}
