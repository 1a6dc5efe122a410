//! Whatever auth's API changes stands in the log of events: a table of every request that changes something, held against the
//! routes in the sources.

use std::collections::BTreeSet;

use auth::clients;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::assertions::{KEY, jwk};
use crate::harness::{Auth, Bank, EMAIL, PASSWORD, text};
use crate::oauth::SECRET;
use crate::persons::{Caller, NEW_PASSWORD, with_admin};
use crate::second_factor::{code, enrol, forget_steps};

/// Asks, and checks that there is an event more.
struct Asking<'b> {
    bank: &'b Bank,
    asked: BTreeSet<String>,
}

impl Asking<'_> {
    async fn events(&self) -> i64 {
        sqlx::query_scalar("select count(*) from events")
            .fetch_one(&self.bank.pool)
            .await
            .expect("a count")
    }

    /// Waits for a POST to `path`.
    async fn leaves_event(
        &mut self,
        path: &str,
        asked: impl Future<Output = Response>,
    ) -> Response {
        let before = self.events().await;
        let answer = asked.await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        assert!(self.events().await > before, "{path} left no event");
        self.asked.insert(format!("POST {path}"));
        answer
    }

    /// `route` is the path as it stands in the sources; `names` stand in the place of its parameters.
    async fn ask(
        &mut self,
        who: &Caller<'_>,
        (method, route): (Method, &str),
        names: &[&str],
        body: Value,
    ) -> Value {
        let mut path = route.to_owned();
        for name in names {
            let (from, to) = (path.find('{').expect("one"), path.find('}').expect("one"));
            path.replace_range(from..=to, name);
        }
        let before = self.events().await;
        let (status, answer) = who.call(method.clone(), &path, Some(&body)).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        assert!(
            self.events().await > before,
            "{method} {path} left no event"
        );
        self.asked.insert(format!("{method} {route}"));
        answer
    }
}

#[tokio::test]
async fn every_change_leaves_an_event() {
    let (bank, auth, _ledger) = Bank::open().await;
    drop(auth);
    // A second key encryption key, so that there is something to rewrap, and a bank that lets customers register.
    let mut config = bank.config();
    let sealed_with = format!("{},{}", "42".repeat(32), bank.key_encryption_key());
    config.key_encryption_key = sealed_with.parse().expect("any text");
    config.registration = auth::Registration::Open;
    let _auth = Auth::start(config);
    bank.wait_until_ready().await;
    let mut asking = Asking {
        bank: &bank,
        asked: BTreeSet::new(),
    };
    let admin = with_admin(&bank).await;
    people(&mut asking, &admin).await;
    programs(&mut asking, &admin).await;
    own(&mut asking, &bank).await;
    tokens(&mut asking, &bank).await;
    keys(&mut asking, &admin).await;

    assert_eq!(
        asking.asked,
        routes(),
        "the table is not what the routes are"
    );
}

async fn people(asking: &mut Asking<'_>, admin: &Caller<'_>) {
    let post = |route| (Method::POST, route);
    let new = json!({"email": "new@b.rw", "password": NEW_PASSWORD});
    let new = asking.ask(admin, post("/api/users"), &[], new).await;
    let id = text(&new, "id");
    let role = json!({"role": "staff"});
    asking
        .ask(admin, post("/api/users/{id}/role"), &[id], role)
        .await;
    for route in [
        "/api/users/{id}/unlock",
        "/api/users/{id}/log-out",
        "/api/users/{id}/deactivate",
        "/api/users/{id}/activate",
        "/api/users/{id}/second-factor/reset",
    ] {
        asking.ask(admin, post(route), &[id], json!({})).await;
    }
    let password = json!({"password": "eight quiet rivers meet"});
    asking
        .ask(admin, post("/api/users/{id}/password"), &[id], password)
        .await;
    let reset = asking
        .ask(admin, post("/api/users/{id}/reset"), &[id], json!({}))
        .await;
    let accept = json!({"code": reset["code"], "password": NEW_PASSWORD});
    asking
        .ask(admin, post("/api/users/accept"), &[], accept)
        .await;
    let invited = json!({"email": "invited@b.rw"});
    asking
        .ask(admin, post("/api/users/invitations"), &[], invited)
        .await;
    let registered = json!({"email": "registered@b.rw", "password": NEW_PASSWORD});
    asking
        .ask(admin, post("/api/users/register"), &[], registered)
        .await;
    let moved = json!({"people": [{
        "id": 7, "email": "seven@b.rw", "username": null, "password": "!", "is_active": true, "is_staff": false,
        "is_superuser": false, "date_joined": null, "last_login": null,
    }]});
    asking
        .ask(admin, post("/api/users/import"), &[], moved)
        .await;
}

async fn programs(asking: &mut Asking<'_>, admin: &Caller<'_>) {
    let post = |route| (Method::POST, route);
    let new = json!({"client_id": "till", "scopes": ["payments:submit"]});
    asking
        .ask(admin, post("/api/service-accounts"), &[], new)
        .await;
    let route = "/api/service-accounts/{id}/credentials";
    let added = asking.ask(admin, post(route), &["till"], json!({})).await;
    let route = (
        Method::DELETE,
        "/api/service-accounts/{id}/credentials/{credential}",
    );
    let names = ["till", text(&added, "id")];
    asking.ask(admin, route, &names, json!({})).await;
    for route in [
        "/api/service-accounts/{id}/deactivate",
        "/api/service-accounts/{id}/activate",
    ] {
        asking.ask(admin, post(route), &["till"], json!({})).await;
    }
    let route = (Method::DELETE, "/api/service-accounts/{id}");
    asking.ask(admin, route, &["till"], json!({})).await;
}

/// What a person changes about oneself.
async fn own(asking: &mut Asking<'_>, bank: &Bank) {
    let post = |route| (Method::POST, route);
    let person = Caller::log_in(bank, EMAIL).await;
    let mandate = json!({"client_id": "payments"});
    let mandate = asking
        .ask(&person, post("/api/mandates"), &[], mandate)
        .await;
    let route = (Method::DELETE, "/api/mandates/{id}");
    asking
        .ask(&person, route, &[text(&mandate, "id")], json!({}))
        .await;

    let other = Caller::log_in(bank, EMAIL).await;
    let other = bank.verified(text(&other.pair, "access")).await.claims.sid;
    let other = other.expect("a session");
    Caller::log_in(bank, EMAIL).await;
    let route = (Method::DELETE, "/api/sessions/{id}");
    asking.ask(&person, route, &[&other], json!({})).await;
    let route = (Method::DELETE, "/api/sessions");
    asking.ask(&person, route, &[], json!({})).await;

    // Starting one changes nothing yet: it counts, and is an event, when it is confirmed.
    let path = "/api/users/me/second-factor";
    let before = asking.events().await;
    let (secret, _) = enrol(&person).await;
    assert!(
        asking.events().await > before,
        "a second factor left no event"
    );
    asking.asked.insert(format!("POST {path}"));
    asking.asked.insert(format!("POST {path}/confirm"));
    forget_steps(bank).await;
    let renew = json!({"current_password": PASSWORD, "code": code(&secret)});
    let route = post("/api/users/me/second-factor/recovery-codes");
    asking.ask(&person, route, &[], renew).await;
    forget_steps(bank).await;
    let remove = json!({"current_password": PASSWORD, "code": code(&secret)});
    asking
        .ask(&person, (Method::DELETE, path), &[], remove)
        .await;
    let password = json!({"current_password": PASSWORD, "password": NEW_PASSWORD});
    asking
        .ask(&person, post("/api/users/me/password"), &[], password)
        .await;
}

async fn keys(asking: &mut Asking<'_>, admin: &Caller<'_>) {
    let post = |route| (Method::POST, route);
    asking
        .ask(admin, post("/api/keys/rewrap"), &[], json!({}))
        .await;
    asking
        .ask(admin, post("/api/keys/rotate"), &[], json!({}))
        .await;
    let key = json!({"public_key": jwk(&KEY)});
    let keys = asking.ask(admin, post("/api/keys/import"), &[], key).await;
    let kid = text(&keys["keys"][0], "kid");
    asking
        .ask(admin, post("/api/keys/{kid}/revoke"), &[kid], json!({}))
        .await;
}

/// What people and programs do with tokens: in the words of SimpleJWT and OAuth 2.
async fn tokens(asking: &mut Asking<'_>, bank: &Bank) {
    let login = json!({"email": EMAIL, "password": NEW_PASSWORD});
    for path in ["/api/token/", "/api/token/sliding/"] {
        let answer = asking.leaves_event(path, bank.post(path, &login)).await;
        let tokens: Value = answer.json().await.expect("JSON");
        if path == "/api/token/" {
            let path = "/api/token/blacklist/";
            let refresh = json!({"refresh": tokens["refresh"]});
            asking.leaves_event(path, bank.post(path, &refresh)).await;
        }
    }
    let shop = "demo-shop".parse().expect("a good id");
    clients::ensure_service_account(&bank.pool, &shop, SECRET, "payments:submit")
        .await
        .expect("an account");
    let client = [("client_id", "demo-shop"), ("client_secret", SECRET)];
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(client);
    let answer = bank.post_form("/oauth2/token", &form).await;
    let body: Value = answer.json().await.expect("JSON");
    let mut form = vec![("token", text(&body, "access_token"))];
    form.extend(client);
    let path = "/oauth2/revoke";
    asking.leaves_event(path, bank.post_form(path, &form)).await;
}

/// What changes nothing that an auditor looks for, and why.
const WITHOUT_EVENT: [(&str, &str); 5] = [
    (
        "POST /api/token/refresh/",
        "a session goes on; when it was last used stands with it",
    ),
    ("POST /api/token/sliding/refresh/", "the same"),
    ("POST /api/token/verify/", "a question"),
    (
        "POST /oauth2/token",
        "every five minutes for each program; a credential's last use stands with it",
    ),
    ("POST /oauth2/introspect", "a question"),
];

/// Every request that may change something, as auth's document has it: method and path.
fn routes() -> BTreeSet<String> {
    let document = auth::openapi();
    let paths = document["paths"].as_object().expect("paths");
    let mut found = BTreeSet::new();
    for (path, item) in paths {
        let methods = item.as_object().expect("a path item").keys();
        let changing = methods.filter(|method| *method != "get");
        found.extend(changing.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    for (route, why) in WITHOUT_EVENT {
        assert!(found.remove(route), "{route} is no route: {why}");
    }
    found
}
