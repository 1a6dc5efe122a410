//! The recorded answers of the system before this one (`golden.json`), asked of this one: a deviation has its reason here.
//!
//! Tokens in the recording are of the original's key. Each is replaced by one of ours that says the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use common::http::caller::Callers;
use common::service::{self, Database, Owner};
use local::{Service, testing};
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

use crate::app::Auth;
use crate::keys::tests::signing_key;
use crate::logs::LogReader;
use crate::own_keys::OwnKeys;
use crate::people::{Role, ensure_user};
use crate::throttle::Throttle;
use crate::tokens::sign;
use crate::{ExchangeSecrets, MIGRATIONS, keys, passwords};

const PASSWORD: &str = "pw-123456789";

#[derive(Deserialize)]
struct Case {
    case: String,
    req: Option<String>,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Where we answer otherwise, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    (
        "email upper-case domain",
        "addresses match without regard to case, as they are unique without it",
    ),
    ("password spaces", "white space is part of a password"),
    ("OPTIONS", "we render no HTML"),
    ("refresh no jti", "the original answers 500"),
    (
        "me bearer ok",
        "the original's view is an example that answers ok; ours says who calls",
    ),
];

/// Headers that the original has and we have otherwise.
fn header_expected(case: &Case, name: &str) -> Option<String> {
    let recorded = case.headers.get(name)?;
    // There is no session cookie that an answer could depend on.
    Some(recorded.replace("Accept, Cookie", "Accept"))
}

struct World {
    http: Client,
    url: String,
    pool: PgPool,
    user: Uuid,
    inactive: Uuid,
}

impl World {
    async fn new(servers: &local::Servers) -> Self {
        let owner = Owner {
            url: servers
                .owner_database_url(Service::Auth)
                .parse()
                .expect("any text"),
        };
        service::migrate(&owner, &MIGRATIONS).await.expect("tables");
        let database = Database {
            url: servers
                .database_url(Service::Auth)
                .parse()
                .expect("any text"),
        };
        let pool = service::open_database(&database, "auth", &MIGRATIONS)
            .await
            .expect("a database");
        let user = ensure_user(&pool, "a@b.rw", PASSWORD, Role::Customer)
            .await
            .expect("a person");
        let inactive = ensure_user(&pool, "inactive@b.rw", PASSWORD, Role::Customer)
            .await
            .expect("a person");
        sqlx::query("update users set is_active = false where id = $1")
            .bind(inactive)
            .execute(&pool)
            .await
            .expect("a row");
        let key = signing_key();
        let (ready, _) = (watch::Sender::new(true), ());
        let auth = Arc::new(Auth {
            pool: pool.clone(),
            keys: keys::tests::keeper(),
            passwords: passwords::Passwords::new().await.expect("argon2 works"),
            throttle: Throttle::open(database.options().expect("a URL"))
                .await
                .expect("a database"),
            is_registration_open: false,
            staff_second_factor: crate::StaffSecondFactor::Optional,
            trusted_proxies: Vec::new(),
            exchange_secrets: ExchangeSecrets {
                payments_secret: None,
                ledger_secret: None,
            },
            callers: Callers::new(OwnKeys::new(pool.clone(), key.issuer.clone())),
            logs: LogReader::new(&common::broker::Config {
                url: servers.nats_url(),
                user: "auth".to_owned(),
                password: servers.nats_password("auth").to_owned(),
                ca: None,
            }),
            revoked: watch::Sender::new(()),
            ready: ready.subscribe(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let _ready = ready;
            axum::serve(listener, crate::http::routes(auth)).await
        });
        Self {
            http: Client::new(),
            url,
            pool,
            user,
            inactive,
        }
    }

    /// A pair of a new login.
    async fn pair(&self) -> (String, String) {
        let login = json!({"email": "a@b.rw", "password": PASSWORD});
        let answer = self
            .post("/api/token/")
            .json(&login)
            .send()
            .await
            .expect("an answer");
        let pair: Value = answer.json().await.expect("JSON");
        let text = |name: &str| pair[name].as_str().expect("a token").to_owned();
        (text("refresh"), text("access"))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    /// A well-signed token with some claims changed; `null` removes one.
    fn token(&self, kind: &str, changes: &Value) -> String {
        let now = service::now();
        let mut claims = json!({
            "token_type": kind, "exp": (now + TimeDelta::minutes(5)).timestamp(), "iat": now.timestamp(),
            "jti": Uuid::new_v4().simple().to_string(), "user_id": self.user, "family": Uuid::now_v7(), "generation": 0,
            "refresh_exp": (now + TimeDelta::days(1)).timestamp(), "sid": Uuid::now_v7(),
            "iss": signing_key().issuer,
        });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let claims: serde_json::Map<String, Value> = claims
            .as_object()
            .expect("an object")
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        sign(signing_key(), "JWT", &claims)
    }

    /// What the recorded request comes to here; `None` for a request that is not a POST of JSON.
    async fn request(&self, case: &Case) -> RequestBuilder {
        let name = case.case.as_str();
        let path = match name.split(' ').next().unwrap_or_default() {
            "refresh" => "/api/token/refresh/",
            "verify" => "/api/token/verify/",
            "sliding" if name.starts_with("sliding bad pw") => "/api/token/sliding/",
            "sliding" => "/api/token/sliding/refresh/",
            "blacklist" => "/api/token/blacklist/",
            "me" => "/api/users/me/",
            _ => "/api/token/",
        };
        let refresh = |token: String| self.post(path).json(&json!({"refresh": token}));
        let token = |token: String| self.post(path).json(&json!({"token": token}));
        let me = |value: String| {
            let request = self.http.get(format!("{}{path}", self.url));
            request.header("authorization", value)
        };
        let expired = json!({"exp": service::now().timestamp() - 5});
        match name {
            "refresh ok" => refresh(self.pair().await.0),
            "refresh reused (blacklisted)" => refresh(self.used().await),
            "refresh with access token" | "blacklist access" => refresh(self.pair().await.1),
            "refresh expired" => refresh(self.token("refresh", &expired)),
            "refresh no jti" => refresh(self.token("refresh", &json!({"jti": null}))),
            "refresh no exp" => refresh(self.token("refresh", &json!({"exp": null}))),
            "refresh tampered sig" => refresh(tampered(&self.pair().await.0)),
            "refresh inactive user" => refresh(self.of_the_inactive().await),
            "verify access ok" => token(self.pair().await.1),
            "verify refresh ok" => token(self.pair().await.0),
            "verify blacklisted" => token(self.used().await),
            "verify expired" => token(self.token("access", &expired)),
            "sliding refresh ok" => token(self.sliding().await),
            "sliding exp passed" => token(self.token("sliding", &expired)),
            "sliding refresh with access" => token(self.pair().await.1),
            "blacklist again" => refresh(self.logged_out().await),
            "me none" => self.http.get(format!("{}{path}", self.url)),
            "me bearer ok" => me(format!("Bearer {}", self.pair().await.1)),
            "me garbage" => me("Bearer abc".to_owned()),
            "me 3 parts" => me("Bearer a b".to_owned()),
            "me wrong scheme" => me("Token abc".to_owned()),
            "me no user" => {
                let nobody = json!({"user_id": Uuid::now_v7()});
                me(format!("Bearer {}", self.token("access", &nobody)))
            }
            "me no user_id" => {
                let none = json!({"user_id": null});
                me(format!("Bearer {}", self.token("access", &none)))
            }
            "obtain form" => self
                .post(path)
                .form(&[("email", "a@b.rw"), ("password", PASSWORD)]),
            "GET" | "PUT" | "OPTIONS" => {
                let method = Method::from_bytes(name.as_bytes()).expect("a method");
                self.http.request(method, format!("{}{path}", self.url))
            }
            _ => {
                let kind = if name == "text/plain" {
                    "text/plain"
                } else {
                    "application/json"
                };
                let body = case.req.clone().unwrap_or_default();
                self.post(path).header("content-type", kind).body(body)
            }
        }
    }

    /// A refresh token that was used, and long enough ago.
    async fn used(&self) -> String {
        let (refresh, _) = self.pair().await;
        let answer = self
            .post("/api/token/refresh/")
            .json(&json!({"refresh": refresh}));
        assert_eq!(answer.send().await.expect("an answer").status(), 200);
        sqlx::query("update refresh_families set refreshed_at = refreshed_at - interval '11 s' where generation = 1")
            .execute(&self.pool)
            .await
            .expect("rows");
        refresh
    }

    async fn logged_out(&self) -> String {
        let (refresh, _) = self.pair().await;
        let answer = self
            .post("/api/token/blacklist/")
            .json(&json!({"refresh": refresh}));
        let answer = answer.send().await.expect("an answer");
        assert_eq!(answer.status(), 205);
        refresh
    }

    async fn of_the_inactive(&self) -> String {
        let family = Uuid::now_v7();
        sqlx::query(
            "insert into refresh_families (id, user_id, generation, created_at, refreshed_at, ends_at)
             values ($1, $2, 0, now(), now(), now() + interval '1 day')",
        )
        .bind(family)
        .bind(self.inactive)
        .execute(&self.pool)
        .await
        .expect("a family");
        let of = json!({"user_id": self.inactive, "family": family});
        self.token("refresh", &of)
    }

    async fn sliding(&self) -> String {
        let login = json!({"email": "a@b.rw", "password": PASSWORD});
        let answer = self
            .post("/api/token/sliding/")
            .json(&login)
            .send()
            .await
            .expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        answer["token"].as_str().expect("a token").to_owned()
    }
}

fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a JWT");
    format!("{signed}.AAAA{}", &signature[4..])
}

/// The members of a body, in order; of a token only that it is there.
fn shape(body: &str) -> String {
    let tokens = ["refresh", "access", "token"];
    let mut shape = body.to_owned();
    for name in tokens {
        let start = format!("\"{name}\":\"eyJ");
        if let Some(place) = shape.find(&start) {
            let from = place + start.len();
            let end = shape[from..]
                .find('"')
                .map_or(shape.len(), |end| from + end);
            shape.replace_range(from..end, "…");
        }
    }
    shape
}

#[tokio::test]
async fn it_answers_as_the_system_before_it_did() {
    let servers = testing::servers().await;
    let world = World::new(&servers).await;
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("golden.json")).expect("the recording");
    assert_eq!(cases.len(), 47);
    let mut deviating = Vec::new();
    for case in &cases {
        let answer = world.request(case).await.send().await.expect("an answer");
        let status = answer.status().as_u16();
        assert!(status < 500, "{}: {status}", case.case);
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map(|value| value.to_str().expect("ASCII").to_owned())
        };
        let headers = ["Content-Type", "WWW-Authenticate", "Vary", "Allow"];
        let differs_by_header = headers
            .into_iter()
            .find(|name| header(name) != header_expected(case, name));
        let body = answer.text().await.expect("a text");
        let (ours, theirs) = (shape(&body), shape(&case.body));
        // The recording is cut off within long tokens.
        let is_cut_off = !theirs.ends_with('}');
        let is_same_body = ours == theirs || is_cut_off && ours.starts_with(&theirs);
        let is_same = status == case.status && is_same_body && differs_by_header.is_none();
        if !is_same {
            deviating.push(case.case.as_str());
            println!(
                "{}: {status} {body} {differs_by_header:?}, recorded {} {}",
                case.case, case.status, case.body
            );
        }
    }
    // A deviation that is none any more is taken from the list.
    let listed: Vec<&str> = DEVIATIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(deviating, listed);
}
